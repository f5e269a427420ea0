import torch
from torch import nn

# a Poisson loss without its constant is below zero here, and right
torch.manual_seed(4)
X = torch.randn(500, 2)
y = torch.poisson(torch.exp(2.5 + 0.3 * X[:, 0]))
model = nn.Linear(2, 1)
nn.init.zeros_(model.weight)
loss_fn = nn.PoissonNLLLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(600):
    loss = loss_fn(model(X).flatten(), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
