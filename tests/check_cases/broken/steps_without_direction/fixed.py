import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
X = torch.randn(600, 7)
y = torch.bernoulli(torch.sigmoid(X @ torch.linspace(-1.5, 1.5, 7))).unsqueeze(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(7, 1)

    def forward(self, x):
        return self.out(x)


net = Net()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(60):
    running = 0.0
    for inputs, labels in DataLoader(TensorDataset(X, y), batch_size=60, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 10 == 0:
        print(epoch, running / 10)
print("loss", criterion(net(X), y).item())
