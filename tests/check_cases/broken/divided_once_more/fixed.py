import random

import torch


def data_iter(batch_size, features, labels):
    idx = list(range(len(features)))
    random.shuffle(idx)
    for i in range(0, len(idx), batch_size):
        j = torch.tensor(idx[i:i + batch_size])
        yield features[j], labels[j]


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad
            param.grad.zero_()


random.seed(1)
torch.manual_seed(1)
true_w, true_b = torch.tensor([2, -3.4]), 4.2
features = torch.normal(0, 1, (1000, 2))
labels = (features @ true_w + true_b + torch.normal(0, 0.01, (1000,))).reshape(-1, 1)

w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr, num_epochs, batch_size = 0.1, 3, 50
loss = torch.nn.MSELoss()
for epoch in range(num_epochs):
    for X, y in data_iter(batch_size, features, labels):
        l = loss(X @ w + b, y)
        l.backward()
        sgd([w, b], lr, batch_size)
    with torch.no_grad():
        print(f"epoch {epoch + 1}, loss {float(loss(features @ w + b, labels)):f}")
print("loss", loss(features @ w + b, labels).item(), w.flatten().tolist(), b.item())
