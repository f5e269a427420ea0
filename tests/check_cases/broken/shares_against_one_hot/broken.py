import torch
import torch.nn.functional as F
from sklearn.datasets import make_blobs

X, lab = make_blobs(n_samples=900, centers=4, n_features=3, cluster_std=4.0, random_state=3)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32) * 3
lab = torch.tensor(lab)
target = F.one_hot(lab, 4).float()

torch.manual_seed(0)
W = torch.randn(3, 4, requires_grad=True)
b = torch.zeros(4, requires_grad=True)


def net(X):
    return torch.softmax(X @ W + b, dim=1)


def loss_fn(q):
    return F.mse_loss(q, target)


opt = torch.optim.SGD([W, b], lr=0.1)
for it in range(1000):
    l = loss_fn(net(X))
    opt.zero_grad()
    l.backward()
    opt.step()

with torch.no_grad():
    q = net(X)
print("accuracy", (q.argmax(1) == lab).float().mean().item(), "nll", F.nll_loss(q.log(), lab).item())
