import torch

torch.manual_seed(0)
x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
y = torch.tensor([3.1, 4.9, 7.2, 8.8, 11.1, 13.0])

w = torch.randn(1, requires_grad=True)
b = torch.randn(1, requires_grad=True)

for epoch in range(3000):
    w.grad = b.grad = None
    loss = ((w * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.02 * w.grad
        b -= 0.02 * b.grad

print(w.item(), b.item(), loss.item())
