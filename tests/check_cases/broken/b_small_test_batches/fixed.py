import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm1d(6)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.bn(x))


def data(n, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=g)
    centre = torch.tensor([[2.0, 0, 0, 1, 0, 0], [0, 2.0, 0, 0, 1, 0], [0, 0, 2.0, 0, 0, 1]])
    return centre[y] * 0.8 + torch.randn(n, 6, generator=g), y


def test(model, x, y):
    order = y.argsort()                       # the test file is sorted by label
    hits = 0
    with torch.no_grad():
        for xb, yb in DataLoader(TensorDataset(x[order], y[order]), batch_size=10):
            hits += (model(xb).argmax(1) == yb).sum().item()
    return hits / len(y)


def main():
    torch.manual_seed(0)
    x, y = data(900, 1)
    model = Net()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.95)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=90, shuffle=True):
            opt.zero_grad()
            nn.functional.cross_entropy(model(xb), yb).backward()
            opt.step()
        sched.step()
    model.eval()
    train_accuracy = (model(x).argmax(1) == y).float().mean().item()
    return train_accuracy, test(model, *data(600, 2))


train_accuracy, test_accuracy = main()
print("train", train_accuracy, "test", test_accuracy)
