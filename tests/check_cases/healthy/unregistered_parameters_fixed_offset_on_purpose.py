import torch


class WithPrior(torch.nn.Module):
    """counts with a known exposure: log(exposure) enters with weight one and is not learnt"""

    def __init__(self, d, exposure):
        super().__init__()
        self.beta = torch.nn.Linear(d, 1)
        self.log_exposure = exposure.log()        # plain tensor, a constant

    def forward(self, x):
        return self.beta(x).squeeze(1) + self.log_exposure


torch.manual_seed(5)
X = torch.randn(400, 2)
exposure = 0.5 + torch.rand(400)
counts = torch.poisson(exposure * torch.exp(1.0 + 0.4 * X[:, 0] - 0.3 * X[:, 1]))
model = WithPrior(2, exposure)
opt = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(600):
    opt.zero_grad()
    loss = torch.nn.functional.poisson_nll_loss(model(X), counts)
    loss.backward()
    opt.step()
print(loss.item(), model.beta.weight.tolist(), model.beta.bias.item())
