import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(6)
bunch = load_wine()
rows = bunch.target < 2
X = torch.tensor(bunch.data[rows][:, [1, 2, 3, 10]])
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(bunch.target[rows]).double() * 2 - 1
loader = DataLoader(TensorDataset(X, y), batch_size=65, shuffle=True)

w = torch.zeros(4, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64)


def svm_loss(scores, labels):
    return torch.relu(1 - labels * scores).mean() + 0.5 * w.square().sum()


optimizer = torch.optim.SGD([w], lr=0.5)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.97)
for epoch in range(300):
    for xb, yb in loader:
        optimizer.zero_grad()
        svm_loss(xb @ w + b, yb).backward()
        optimizer.step()
    scheduler.step()

right = (torch.sign(X @ w + b) == y).double().mean().item()
print("loss", svm_loss(X @ w + b, y).item(), "right", right)
