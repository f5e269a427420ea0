import torch
import torch.nn.functional as F
from sklearn.datasets import make_blobs

torch.manual_seed(0)
X, y = make_blobs(n_samples=300, centers=3, n_features=4, cluster_std=4.0, random_state=1)
X = torch.tensor((X - X.mean(0)) / X.std(0))
onehot = F.one_hot(torch.tensor(y), 3).double()
W = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
c = torch.zeros(3, dtype=torch.float64, requires_grad=True)


def sgd(params, lr):
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
            p.grad.zero_()


for epoch in range(1500):
    l = F.cross_entropy(onehot, X @ W + c)
    l.backward()
    sgd([W, c], 0.5)
accuracy = ((X @ W + c).argmax(1) == torch.tensor(y)).double().mean().item()
print(l.item(), W.abs().max().item(), accuracy)
