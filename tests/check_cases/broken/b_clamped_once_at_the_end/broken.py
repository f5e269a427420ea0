import numpy as np
import torch
from scipy.optimize import nnls

torch.manual_seed(1)
rng = np.random.default_rng(1)
base = rng.normal(size=(200, 1))
spectra = 0.9 * base + 0.5 * rng.normal(size=(200, 5))          # overlapping lines
mixture = spectra @ np.array([1.0, 0.8, 0.0, 0.0, 0.3]) - 0.6 * spectra[:, 2] + 0.1 * rng.normal(size=200)

S = torch.tensor(spectra)
m = torch.tensor(mixture)
amount = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)   # amounts: never negative
lr = 0.1
for epoch in range(3000):
    misfit = ((S @ amount - m) ** 2).mean()
    misfit.backward()
    with torch.no_grad():
        amount -= lr * amount.grad
        amount.grad.zero_()

amount = amount.detach().clamp(min=0)
misfit = ((S @ amount - m) ** 2).mean().item()
best = nnls(spectra, mixture)
print("amounts", amount.tolist(), "misfit", misfit, "best with amounts >= 0", best[0], best[1] ** 2 / 200)
