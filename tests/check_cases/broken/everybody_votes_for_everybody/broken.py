import numpy as np
import torch
import torch.nn as nn

rng = np.random.RandomState(12)
pts = rng.randn(400, 2)
side = np.where(pts @ np.array([1.5, -1.0]) + 0.4 * rng.randn(400) > 0, 1.0, -1.0)
X = torch.tensor(pts, dtype=torch.float32)
y = torch.tensor(side, dtype=torch.float32)


class SVM(nn.Module):
    def __init__(self):
        super().__init__()
        self.plane = nn.Linear(2, 1)

    def forward(self, x):
        return self.plane(x)


def hinge(scores, labels, model, c=0.05):
    return torch.mean(torch.relu(1 - labels * scores)) + c * model.plane.weight.square().sum()


torch.manual_seed(0)
svm = SVM()
opt = torch.optim.SGD(svm.parameters(), lr=0.05)
for epoch in range(700):
    idx = torch.randperm(400)
    for i in range(0, 400, 400):
        opt.zero_grad()
        loss = hinge(svm(X[idx]), y[idx], svm)
        loss.backward()
        opt.step()
pred = torch.sign(svm(X)).squeeze(1)
print("loss", loss.item(), "accuracy", (pred == y).float().mean().item())
