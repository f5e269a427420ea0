import torch
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
n = 2000
x = torch.randn(n, 3)
winter, summer = torch.tensor([1.0, 2.0, 0.0]), torch.tensor([1.0, -2.0, 1.0])
season = torch.arange(n) < n // 2
y = torch.where(season, x @ winter + 4.0, x @ summer - 2.0) + 0.3 * torch.randn(n)

loader = DataLoader(TensorDataset(x, y.unsqueeze(1)), batch_size=50, shuffle=True)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(30):
    for xb, yb in loader:
        loss = torch.nn.functional.mse_loss(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    total = torch.nn.functional.mse_loss(model(x), y.unsqueeze(1)).item()
best = torch.linalg.lstsq(torch.cat([x, torch.ones(n, 1)], 1), y.unsqueeze(1))
print("mse on all rows", total, "weights", model.weight.tolist(), model.bias.item(), "least squares", best.solution.ravel().tolist())
