import torch
from torch import nn

torch.manual_seed(6)
X = torch.randn(500, 8)
y = (X @ torch.randn(8, 1) + 2 * torch.randn(500, 1) > 0).float()
model = nn.Sequential(nn.Linear(8, 1))
opt = torch.optim.SGD(model.parameters(), lr=2.0)
for epoch in range(100000):
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(X), y)
    loss.backward()
    size = torch.cat([p.grad.flatten() for p in model.parameters()]).norm()
    if size < 1e-5:
        break
    opt.step()
print("steps", epoch)
print(loss.item())
