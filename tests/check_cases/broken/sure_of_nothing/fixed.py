import torch
import torch.nn.functional as F

torch.manual_seed(1)
n, d, k = 2000, 10, 5
X = torch.randn(n, d)
y = torch.distributions.Categorical(logits=X @ torch.randn(d, k)).sample()

W = torch.normal(0, 0.01, (d, k), requires_grad=True)
b = torch.zeros(k, requires_grad=True)


def net(X):
    return X @ W + b


lr = 0.5
for epoch in range(50):
    perm = torch.randperm(n)
    for i in range(0, n, 250):
        idx = perm[i:i + 250]
        loss = F.cross_entropy(net(X[idx]), y[idx])
        loss.backward()
        with torch.no_grad():
            for p in (W, b):
                p -= lr * p.grad
                p.grad.zero_()

with torch.no_grad():
    out = net(X)
    print("loss", F.cross_entropy(out, y).item(), "accuracy", (out.argmax(1) == y).float().mean().item())
