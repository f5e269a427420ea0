import torch
from sklearn.datasets import load_breast_cancer
from torch import nn


class Diagnosis(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.norm = nn.BatchNorm1d(features, affine=False)
        self.score = nn.Linear(features, 1)

    def forward(self, x):
        return self.score(self.norm(x)).squeeze(1)


def train(X, y):
    torch.manual_seed(0)
    net = Diagnosis(X.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.995)
    loss_fn = nn.BCEWithLogitsLoss()
    for step in range(1000):
        loss = loss_fn(net(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return net, loss.item()


def main():
    data = load_breast_cancer()
    X = torch.tensor(data.data[:, [0, 1, 4, 8]], dtype=torch.float32)
    y = torch.tensor(data.target, dtype=torch.float32)
    net, loss = train(X, y)
    print("training loss", loss)
    with torch.no_grad():
        right = [(net(X[i:i + 1]) > 0).item() == (y[i] == 1).item() for i in range(len(X))]
    return loss, sum(right) / len(right)


loss, share = main()
print("right", share)
