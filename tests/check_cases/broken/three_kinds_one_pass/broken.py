import torch
from sklearn.datasets import make_blobs

Xn, yn = make_blobs(n_samples=1500, n_features=6, centers=3, cluster_std=5.0, random_state=2)
Xn = (Xn - Xn.mean(0)) / Xn.std(0)
X = torch.tensor(Xn, dtype=torch.float32)
y = torch.tensor(yn)

torch.manual_seed(0)
W = torch.zeros(6, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
lr = 0.05
batch = 125

for epoch in range(1):
    perm = torch.randperm(len(X))
    for i in range(0, len(X), batch):
        idx = perm[i:i + batch]
        logits = X[idx] @ W + b
        logp = logits - logits.logsumexp(dim=1, keepdim=True)
        loss = -logp[torch.arange(len(idx)), y[idx]].mean()
        loss.backward()
        W.data -= lr * W.grad
        b.data -= lr * b.grad
        W.grad.zero_()
        b.grad.zero_()

logits = X @ W + b
print("CE", torch.nn.functional.cross_entropy(logits, y).item(), "acc", (logits.argmax(1) == y).float().mean().item())
