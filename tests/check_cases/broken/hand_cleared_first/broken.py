import torch

torch.manual_seed(0)
x = torch.linspace(0, 4, 50).reshape(-1, 1)
y = -1.2 * x + 5 + torch.randn(50, 1) * 0.2

w = torch.randn(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
losses = []
for step in range(1000):
    pred = x.mm(w) + b
    loss = (pred - y).pow(2).mean()
    loss.backward()
    w.grad.zero_()
    b.grad.zero_()
    with torch.no_grad():
        w -= 0.05 * w.grad
        b -= 0.05 * b.grad
    losses.append(float(loss))

print(losses[0], losses[-1], w.item(), b.item())
