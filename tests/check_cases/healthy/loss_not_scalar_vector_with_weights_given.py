import torch

torch.manual_seed(2)
X = torch.randn(300, 4)
y = X @ torch.randn(4) + 1 + 0.2 * torch.randn(300)
w = torch.zeros(4, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
share = torch.full((300,), 1 / 300)
for _ in range(300):
    per_row = (X @ w + b - y) ** 2
    per_row.backward(share)                       # a vector, but its weights are given
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
        w.grad = b.grad = None
print(per_row.mean().item())
