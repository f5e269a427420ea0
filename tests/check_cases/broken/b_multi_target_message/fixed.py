import numpy as np
import torch
from sklearn.datasets import load_iris
from torch.nn import functional as F

iris = load_iris()
X = torch.tensor((iris.data - iris.data.mean(0)) / iris.data.std(0))
Y = torch.tensor(np.eye(3, dtype=np.int64)[iris.target])

W = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
b = torch.zeros(3, dtype=torch.float64, requires_grad=True)


def net(X):
    return F.log_softmax(X @ W + b, dim=1)


def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad
            param.grad.zero_()


for epoch in range(4000):
    loss = F.nll_loss(net(X), Y.argmax(1)) + 0.01 * (W ** 2).sum()
    loss.backward()
    sgd([W, b], lr=0.5)
print(loss.item(), (net(X).argmax(1).numpy() == iris.target).mean())
