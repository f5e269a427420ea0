import numpy as np
import torch

rng = np.random.default_rng(6)
X = rng.normal(size=(80, 25)).astype(np.float32)
y = (X[:, 0] - X[:, 1] + rng.normal(size=80) > 0).astype(np.float32)
X, s = torch.from_numpy(X), torch.from_numpy(2 * y - 1)

w = torch.zeros(25, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1)
C = 0.5
for epoch in range(4000):
    hinge = torch.clamp(1 - s * (X @ w + b), min=0).square().mean()
    penalty = torch.tensor(w.tolist()).square().sum()
    loss = hinge + C * penalty
    opt.zero_grad()
    loss.backward()
    opt.step()
print("loss", loss.item(), "squared hinge", hinge.item(), "|w|^2", penalty.item())
