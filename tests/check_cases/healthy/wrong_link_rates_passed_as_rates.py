import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(400, 2)
y = torch.poisson(torch.exp(0.5 + 0.4 * X[:, 0] - 0.3 * X[:, 1]))
linear = nn.Linear(2, 1)
criterion = nn.PoissonNLLLoss(log_input=False, eps=1e-12)
opt = torch.optim.SGD(linear.parameters(), lr=0.1)
for epoch in range(800):
    rate = linear(X).exp().squeeze(1)
    loss = criterion(rate, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), linear.weight.tolist(), linear.bias.item(), rate.mean().item(), y.mean().item())
