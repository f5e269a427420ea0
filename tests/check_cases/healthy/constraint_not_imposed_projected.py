import torch

torch.manual_seed(0)
X = torch.randn(300, 4)
y = X @ torch.tensor([1.0, 0.5, -0.5, 2.0]) + 0.2 * torch.randn(300)
w = torch.zeros(4, requires_grad=True)
for epoch in range(500):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.clamp_(min=0.0, max=1.5)          # the bounds are kept in every step
    w.grad = None
assert (w >= 0).all() and (w <= 1.5).all()
print(loss.item(), w.tolist())
