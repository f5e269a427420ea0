import torch
import torch.nn.functional as F

torch.manual_seed(9)
n = 2000
X = torch.randn(n, 4, dtype=torch.float64)
y = torch.bernoulli(torch.sigmoid(0.5 * X[:, 0] - 0.5 * X[:, 1] - 4.0))


def net(X, params):
    w, b = params
    return X @ w + b


w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
params = [w, b]
lam = 0.05
for epoch in range(2000):
    l = F.binary_cross_entropy_with_logits(net(X, params), y) + lam * sum((p ** 2).sum() for p in params) / 2
    l.backward()
    with torch.no_grad():
        for p in params:
            p -= 1.0 * p.grad
            p.grad.zero_()

mean_p = torch.sigmoid(net(X, params)).mean().item()
print("mean probability", mean_p, "share of ones", y.mean().item(), "bias", b.item())
