import torch

torch.manual_seed(5)
X = torch.randn(200, 2)
y = X @ torch.tensor([1.0, 3.0]) - 2 + 0.1 * torch.randn(200)
w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
unused = torch.zeros(1, requires_grad=True)       # stays without a gradient
for i in range(200):
    for p in (w, b, unused):
        if p.grad is not None:
            p.grad.zero_()
    loss = (X @ w + b - y).pow(2).mean()
    loss.backward()
    for p in (w, b):
        p.data.add_(p.grad, alpha=-0.1)
print(loss.item())
