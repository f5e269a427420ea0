import numpy as np
import torch

rng = np.random.RandomState(1)
area = rng.uniform(-1, 1, 80)
cost = 4.0 * area + 2.0 + 0.2 * rng.randn(80)
area, cost = torch.tensor(area), torch.tensor(cost)

m = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
c = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
step = 0.05

for epoch in range(200):
    error = ((m * area + c - cost) ** 2).mean()
    error.backward()
    m.data = m.data - step * m.grad
    c.data = c.data - step * c.grad
    m.grad.zero_()
    c.grad.zero_()
    if epoch % 40 == 0:
        print(epoch, error.item())
print("slope", m.item(), "intercept", c.item(), "error", error.item())
