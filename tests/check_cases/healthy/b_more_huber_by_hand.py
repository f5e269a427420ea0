import numpy as np
import torch

rng = np.random.default_rng(0)
X = torch.from_numpy(rng.normal(size=(250, 3)))
y = X @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.3 + torch.from_numpy(rng.standard_t(2, size=250)) * 0.3
theta = torch.zeros(4, dtype=torch.float64, requires_grad=True)


def huber(r, delta=1.0):
    a = r.abs()
    return torch.where(a <= delta, 0.5 * r ** 2, delta * (a - 0.5 * delta)).mean()


for i in range(2000):
    value = huber(X @ theta[:3] + theta[3] - y)
    (grad,) = torch.autograd.grad(value, theta)
    with torch.no_grad():
        theta -= 0.5 * grad
print(value.item(), theta.tolist())
