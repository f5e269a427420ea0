import numpy as np
import torch

rng = np.random.default_rng(0)
t = rng.uniform(-1, 1, size=(100, 1))
odometer = 5_000_000.0 + 3.0 * t            # metres, no noise

x = torch.tensor(t, dtype=torch.float32)
y = torch.tensor(odometer, dtype=torch.float32)
w = torch.zeros(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(1000):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad.zero_()
        b.grad.zero_()
print("loss", loss.item(), "slope", w.item(), "intercept", b.item())
