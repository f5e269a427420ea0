import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
X = torch.randn(1200, 1, 4, 4)                # patches of 4 x 4 pixels, six kinds of texture
y = torch.distributions.Categorical(logits=0.7 * X.flatten(1) @ torch.randn(16, 6)).sample()
train_loader = DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True)


class LogisticRegression(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 6)

    def forward(self, x):
        return self.linear(x.view(-1, 16))


torch.manual_seed(0)
model = LogisticRegression()
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(15):
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
with torch.no_grad():
    out = model(X)
print("loss", criterion(out, y).item(), "accuracy", (out.argmax(1) == y).float().mean().item())
