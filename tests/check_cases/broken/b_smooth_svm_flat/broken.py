import numpy as np
import torch

rng = np.random.default_rng(2)
n, d = 800, 10
X = rng.standard_normal((n, d))
y = (X @ rng.standard_normal(d) + 1.5 * rng.standard_normal(n) > 1.0).astype(np.int64)

Xt = torch.from_numpy(X)
yt = torch.from_numpy(y).double()
w = torch.zeros(d, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
lam = 1e-2
opt = torch.optim.LBFGS([w, b], lr=1, max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9)


def objective():
    slack = torch.relu(1 - yt * (Xt @ w + b))
    return (slack ** 2).mean() + lam * w.dot(w)


def closure():
    opt.zero_grad()
    value = objective()
    value.backward()
    return value


for k in range(5):
    opt.step(closure)
predicted = (Xt @ w + b > 0).long().numpy()
print("objective", objective().item(), "accuracy", (predicted == y).mean(), "|w|", w.norm().item())
