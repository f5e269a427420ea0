import torch
import torch.nn as nn

torch.manual_seed(0)
n, p = 200, 30
X = torch.randn(n, p)
true = torch.zeros(p)
true[:4] = torch.tensor([3.0, -2.0, 1.5, 1.0])
y = (X @ true + 0.5 * torch.randn(n)).unsqueeze(1)

model = nn.Linear(p, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
l1_lambda = 0.3

for epoch in range(2000):
    optimizer.zero_grad()
    mse = nn.functional.mse_loss(model(X), y)
    mse.backward()
    optimizer.step()
    with torch.no_grad():
        w = model.weight
        w.copy_(w.sign() * (w.abs() - 0.1 * l1_lambda).clamp(min=0))
        loss = nn.functional.mse_loss(model(X), y) + l1_lambda * w.abs().sum()

w = model.weight.detach().flatten()
print("loss", loss.item(), "exact zeros", int((w == 0).sum()), "below 1e-2", int((w.abs() < 1e-2).sum()))
