import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self, outputs=10):
        super().__init__()
        self.fc = nn.Linear(5, outputs)

    def forward(self, x):
        return self.fc(x)


def train(model, opt, loader, epochs):
    for _ in range(epochs):
        for xb, yb in loader:
            opt.zero_grad()
            loss = nn.functional.huber_loss(model(xb), yb)
            loss.backward()
            opt.step()
    return loss.item()


torch.manual_seed(11)
X = torch.randn(300, 5)
y = X @ torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, -2.0], [0.3, 0.0], [0.0, 1.0]]) + 0.1 * torch.randn(300, 2)
loader = DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True)

model = Regressor()
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model.fc = nn.Linear(5, 2)        # our problem has two outputs
train(model, opt, loader, 60)
print("loss", nn.functional.huber_loss(model(X), y).item())
