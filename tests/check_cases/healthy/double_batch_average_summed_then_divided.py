import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
X = torch.randn(1000, 4)
y = X @ torch.randn(4, 1) + 2 + 0.02 * torch.randn(1000, 1)
model = nn.Linear(4, 1)
per_row = nn.MSELoss(reduction="none")
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(15):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=40, shuffle=True):
        loss = per_row(model(xb), yb).sum() / len(xb)          # sum divided once: the mean
        opt.zero_grad()
        loss.backward()
        opt.step()
print(per_row(model(X), y).mean().item())
