import torch
import torch.nn.functional as F
from sklearn.datasets import make_classification

X, y = make_classification(n_samples=600, n_features=5, n_informative=3, n_redundant=0, flip_y=0.2, random_state=1)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y)


class Softmax:
    def __init__(self, d, k):
        self.W = torch.zeros(d, k).requires_grad_()
        self.b = torch.zeros(k).requires_grad_()

    def step(self, xb, yb, lr):
        loss = F.cross_entropy(torch.addmm(self.b, xb, self.W), yb)
        gW, gb = torch.autograd.grad(loss, [self.W, self.b])
        with torch.no_grad():
            self.W.sub_(lr * gW)
            self.b.sub_(lr * gb)
        return loss.item()


clf = Softmax(5, 2)
for epoch in range(60):
    for xb, yb in zip(X.split(200), y.split(200)):
        clf.step(xb, yb, 0.2)
print(F.cross_entropy(X @ clf.W + clf.b, y).item())
