import torch
from torch import nn


class Poisson(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.d = d
        self.log_base = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.randn(self.d) * 0.5)

    def forward(self, x):
        return x @ self.beta + self.log_base


torch.manual_seed(0)
x = torch.randn(500, 3)
k = torch.poisson(torch.exp(0.3 * x[:, 0] - 0.2 * x[:, 2] + 1.0))
model = Poisson(3)
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(800):
    loss = nn.functional.poisson_nll_loss(model(x), k)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("loss", loss.item(), "again", nn.functional.poisson_nll_loss(model(x), k).item())
