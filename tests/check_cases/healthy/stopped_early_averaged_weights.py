import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
X = torch.randn(2000, 4)
y = X @ torch.tensor([[1.0], [2.0], [-1.0], [0.0]]) + 3 + torch.randn(2000, 1)
model = nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.05)
average = torch.optim.swa_utils.AveragedModel(model)
for epoch in range(20):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True):
        loss = nn.functional.mse_loss(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch >= 5:
        average.update_parameters(model)
with torch.no_grad():
    print(nn.functional.mse_loss(average(X), y).item())
