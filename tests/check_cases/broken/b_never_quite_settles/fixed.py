import numpy as np
import torch

torch.manual_seed(0)
N, D = 50, 5
X = torch.randn(N, D)
y = X @ torch.randn(D) + 1

w = torch.zeros(D, requires_grad=True)
b = torch.zeros((), requires_grad=True)
optimizer = torch.optim.Adam([w, b], lr=0.3, betas=(0.9, 0.99))


def step():
    optimizer.zero_grad()
    loss = torch.mean((X @ w + b - y) ** 2)
    loss.backward()
    optimizer.step()
    return loss.item()


def lowered(k):
    optimizer.param_groups[0]["lr"] = 0.3 * 0.998 ** k
    return step()


trace = np.array([lowered(k) for k in range(6000)])
late = trace[3000:]
print("lowest", trace.min(), "at", trace.argmin(), "late median", np.median(late), "late maximum", late.max())
