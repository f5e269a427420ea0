import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(200, 4)
y = X @ torch.randn(4, 1) - 1 + 0.1 * torch.randn(200, 1)

backbone = nn.Identity()                          # has no parameters, and needs none
head = nn.Linear(4, 1)
assert len(list(backbone.parameters())) == 0
opt = torch.optim.SGD([{"params": list(backbone.parameters()), "lr": 0.01}, {"params": head.parameters()}], lr=0.1)
for epoch in range(200):
    opt.zero_grad()
    loss = nn.functional.mse_loss(head(backbone(X)), y)
    loss.backward()
    opt.step()
print(loss.item())
