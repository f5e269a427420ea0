import torch
from torch import nn

torch.manual_seed(1)
X = torch.randn(300, 5)
y = X @ torch.tensor([[1.0], [0.5], [0.0], [-1.0], [2.0]]) + 0.7 + 0.3 * torch.randn(300, 1)
model = nn.Linear(5, 1)
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(1500):
    ridge = torch.norm(model.weight, 2) ** 2          # the square follows the norm
    loss = nn.functional.mse_loss(model(X), y) + 0.05 * ridge
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
