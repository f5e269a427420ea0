import torch

torch.manual_seed(9)
N, D = 200, 3
x = torch.rand(N, D, dtype=torch.float64)
y = (x @ torch.tensor([5., -3., 2.], dtype=torch.float64) + 1 + 0.1 * torch.randn(N, dtype=torch.float64)).reshape(-1, 1)

w = torch.randn(D, dtype=torch.float64, requires_grad=True)
b = torch.zeros((), dtype=torch.float64, requires_grad=True)


def squared_loss(y_hat, y):
    return ((y_hat - y.reshape(y_hat.shape)) ** 2).mean()


lr = 0.3
for epoch in range(3000):
    y_hat = torch.matmul(x, w) + b
    l = squared_loss(y_hat, y)
    l.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= lr * p.grad
            p.grad.zero_()
print(l.item(), w.tolist(), b.item())
