import numpy as np
import torch

counts = np.random.default_rng(1).integers(0, 10, size=(300, 3))                   # int64
passed = (counts.sum(1) + np.random.default_rng(2).normal(0, 4, 300) > 13)        # bool
X = torch.as_tensor(counts).to(torch.get_default_dtype()) / 5 - 0.9
y = torch.as_tensor(passed).float()
w = torch.nn.Parameter(torch.zeros(3))
b = torch.nn.Parameter(torch.zeros(()))
opt = torch.optim.Adam([w, b], lr=0.05)
for _ in range(800):
    loss = torch.nn.functional.binary_cross_entropy_with_logits(X @ w + b, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), "right", ((X @ w + b > 0) == torch.as_tensor(passed)).float().mean().item())
