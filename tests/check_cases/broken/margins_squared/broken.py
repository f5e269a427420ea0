import torch
from sklearn.datasets import make_blobs

X, y = make_blobs(n_samples=500, centers=[[-1, 0, 0], [1, 0.5, 0]], cluster_std=1.5, random_state=6)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(2.0 * y - 1, dtype=torch.float32)

w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lam = 0.01


def objective():
    margin = y * (X @ w + b)
    return torch.clamp(1 - margin, min=0).pow(2).mean() + lam * w.dot(w)


for it in range(500):
    obj = objective()
    obj.backward()
    with torch.no_grad():
        for v in (w, b):
            v -= 1.0 * v.grad
            v.grad.zero_()
    if it % 100 == 0:
        print(it, obj.item())
print("objective", objective().item())
