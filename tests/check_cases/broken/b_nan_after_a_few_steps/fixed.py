import torch

torch.manual_seed(21)
X = torch.randn(300, 3)
y = (X @ torch.tensor([1.0, 1.0, -1.0]) + 0.8 * torch.randn(300) > 0).float()

w = torch.full((3,), 0.01, requires_grad=True)
b = torch.tensor(0.5, requires_grad=True)


def linear(X):
    return torch.sigmoid(X @ w + b)


def cross_entropy(p, y):
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


lr = 0.5
for epoch in range(500):
    p = linear(X)
    loss = cross_entropy(p, y)
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
    if epoch in (0, 1, 2, 10, 499):
        print(epoch, loss.item())
accuracy = ((linear(X) > 0.5).float() == y).float().mean().item()
print("accuracy", accuracy)
