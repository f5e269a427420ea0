import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def _init_(self, n_features):
        super()._init_()
        self.score = nn.Linear(n_features, 1)

    def forward(self, x):
        return self.score(x).squeeze(-1)


def main():
    torch.manual_seed(0)
    X = torch.randn(500, 5)
    y = torch.bernoulli(torch.sigmoid(X[:, 0] - X[:, 1]))
    model = Classifier(5)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    crit = nn.BCEWithLogitsLoss()
    for epoch in range(100):
        for xb, yb in DataLoader(TensorDataset(X, y), batch_size=100):
            opt.zero_grad()
            loss = crit(model(xb), yb)
            loss.backward()
            opt.step()
    print(crit(model(X), y).item())
    return model, X, y


if __name__ == '__main__':
    model, X, y = main()
