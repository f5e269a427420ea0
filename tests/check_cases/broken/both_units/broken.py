import numpy as np
import torch

rng = np.random.RandomState(8)
cm = rng.normal(170, 10, size=250)
inches = cm / 2.54
age = rng.uniform(20, 60, size=250)
weight = 0.9 * (cm - 170) + 0.2 * (age - 40) + 70 + rng.normal(0, 4, 250)

X = np.column_stack([cm, inches, age])
X = (X - X.mean(0)) / X.std(0)
X = torch.tensor(X)
y = torch.tensor(weight)

torch.manual_seed(2)
w = torch.randn(3, dtype=torch.float64) * 20
w.requires_grad_()
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
opt = torch.optim.Adam([w, b], lr=0.5)
for epoch in range(3000):
    err = X @ w + b - y
    loss = torch.dot(err, err) / len(y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("per cm", w[0].item(), "per inch", w[1].item(), "age", w[2].item(), "loss", loss.item())
