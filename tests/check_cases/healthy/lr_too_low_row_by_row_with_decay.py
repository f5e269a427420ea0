import torch

torch.manual_seed(5)
X = torch.randn(800, 2)
y = X @ torch.tensor([1.0, -2.0]) + 0.5 + 0.05 * torch.randn(800)
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
k = 0
for epoch in range(12):
    for i in torch.randperm(800):
        lr = 1.0 / (25 + k)                       # falls to 1e-4: enough was travelled before
        loss = (X[i] @ w + b - y[i]).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
            w.grad.zero_()
            b.grad.zero_()
        k += 1
print(((X @ w + b - y) ** 2).mean().item())
