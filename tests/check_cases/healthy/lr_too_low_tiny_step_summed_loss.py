import torch

torch.manual_seed(4)
X = torch.randn(3000, 6)
y = X @ torch.randn(6) + 1.7 + 0.4 * torch.randn(3000)

w = torch.zeros(6, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 1e-4                                        # the loss is a sum over 3,000 rows

for step in range(120):
    loss = ((X @ w + b - y) ** 2).sum()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
print(loss.item() / 3000, w.tolist(), b.item())
