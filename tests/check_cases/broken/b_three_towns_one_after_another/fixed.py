import numpy as np
import torch

rng = np.random.RandomState(7)
rent, size = [], []
for level in (4.0, 8.0, 15.0):
    s = rng.uniform(-1, 1, 150)
    size.append(s)
    rent.append(level + 2.0 * s + rng.normal(0, 0.5, 150))
size = torch.tensor(np.concatenate(size))
rent = torch.tensor(np.concatenate(rent))

k = torch.zeros((), dtype=torch.float64, requires_grad=True)
m = torch.zeros((), dtype=torch.float64, requires_grad=True)
for epoch in range(20):
    lr = 0.02 / (1 + epoch) ** 1.5
    for i in rng.permutation(len(size)):
        loss = (k * size[i] + m - rent[i]) ** 2
        loss.backward()
        k.data -= lr * k.grad.data
        m.data -= lr * m.grad.data
        k.grad.data.zero_()
        m.grad.data.zero_()

mean_error = (k * size + m - rent).mean().item()
mse = ((k * size + m - rent) ** 2).mean().item()
print("slope", k.item(), "intercept", m.item(), "mean error", mean_error, "mse", mse)
