import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(0)
bc = load_breast_cancer()
order = np.argsort(bc.target, kind="stable")
X = torch.tensor(bc.data[order][:, [1, 4, 8]])
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(bc.target[order]).double()


class Logistic:
    def __init__(self):
        self.w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        self.b = torch.zeros((), dtype=torch.float64, requires_grad=True)

    def loss(self, X, y):
        return torch.nn.functional.binary_cross_entropy_with_logits(X @ self.w + self.b, y)

    def epoch(self, order, lr, batch=32):
        for i in range(0, len(order), batch):
            rows = order[i:i + batch]
            gw, gb = torch.autograd.grad(self.loss(X[rows], y[rows]), (self.w, self.b))
            self.w.data -= lr * gw
            self.b.data -= lr * gb


model = Logistic()
for epoch in range(100):
    model.epoch(torch.randperm(len(y)), lr=0.3 / (1 + 0.2 * epoch))
with torch.no_grad():
    loss = model.loss(X, y).item()
    accuracy = ((X @ model.w + model.b > 0) == (y == 1)).double().mean().item()
print("loss", loss, "accuracy", accuracy, "bias", model.b.item())
