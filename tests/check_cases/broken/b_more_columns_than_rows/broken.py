import torch

torch.manual_seed(3)
n, d = 40, 100
X = torch.randn(n, d, dtype=torch.float64)
y = torch.bernoulli(torch.sigmoid(X[:, 0]))
X_new = torch.randn(1000, d, dtype=torch.float64)
y_new = torch.bernoulli(torch.sigmoid(X_new[:, 0]))


def bce(z, y):
    return (torch.nn.functional.softplus(z) - y * z).mean()


w = torch.zeros(d, dtype=torch.float64, requires_grad=True)
b = torch.zeros((), dtype=torch.float64, requires_grad=True)
trace = []
for step in range(4000):
    loss = bce(X @ w + b, y)
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.5 * p.grad
            p.grad = None
    if step % 1000 == 999:
        trace.append(w.norm().item())

train_accuracy = ((X @ w + b > 0) == (y == 1)).double().mean().item()
test_loss = bce(X_new @ w + b, y_new).item()
print("loss", loss.item(), "norms", trace, "training accuracy", train_accuracy, "loss on new rows", test_loss)
