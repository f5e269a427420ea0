import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(400, 3)
y = (X[:, 0] + 0.5 * X[:, 1] + 0.7 * torch.randn(400) > 0).float()       # stays 0/1

net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(2000):
    score = net(X).squeeze(1)
    sign = 2 * y - 1
    loss = torch.clamp(1 - sign * score, min=0).pow(2).mean() + 0.05 * net.weight.pow(2).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), ((score > 0) == (y == 1)).float().mean().item())
