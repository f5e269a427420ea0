import numpy as np
import torch

rng = np.random.default_rng(3)
x = torch.from_numpy(rng.uniform(-1, 1, 120))     # float64
y = torch.from_numpy(2 * x.numpy() - 0.5 + 0.1 * rng.normal(size=120))
w = torch.zeros(1, requires_grad=True)            # float32: elementwise products promote
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.3)
for _ in range(300):
    loss = ((w * x + b - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), w.item(), b.item(), w.grad.dtype)
