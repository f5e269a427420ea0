import torch
import torch.nn as nn


class PoissonRegression(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.linear = nn.Linear(n, 1)

    def forward(self, x):
        return torch.exp(self.linear(x))


torch.manual_seed(0)
x = torch.randn(600, 2) * 0.5
y = torch.poisson(torch.exp(0.8 + x @ torch.tensor([[0.6], [-0.4]])))

model = PoissonRegression(2)
criterion = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for epoch in range(3000):
    optimizer.zero_grad()
    rate = model(x)
    loss = criterion(rate, y)
    loss.backward()
    optimizer.step()
print("loss", loss.item(), "weights", model.linear.weight.tolist(), "mean rate", rate.mean().item(), "mean count", y.mean().item())
