import torch


def linreg(X, w, b):
    return torch.matmul(X, w) + b


def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad


def zero(params):
    for p in params:
        if p.grad is not None:
            p.grad.zero_()


torch.manual_seed(0)
features = torch.normal(0, 1, (500, 2))
labels = torch.matmul(features, torch.tensor([2, -3.4])) + 4.2 + torch.normal(0, 0.01, (500,))
labels = labels.reshape(-1, 1)

w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr, num_epochs, batch_size = 0.03, 20, 20

for epoch in range(num_epochs):
    order = torch.randperm(500)
    for i in range(0, 500, batch_size):
        j = order[i:i + batch_size]
        zero((w, b))
        l = squared_loss(linreg(features[j], w, b), labels[j]).mean()
        l.backward()
        sgd([w, b], lr)
    with torch.no_grad():
        print(f"epoch {epoch + 1}, loss {squared_loss(linreg(features, w, b), labels).mean().item():f}")
