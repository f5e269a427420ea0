import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.fc = nn.Linear(n_in, 1)

    def forward(self, x):
        return self.fc(x)


def main():
    torch.manual_seed(42)
    X = torch.randn(800, 6)
    y = torch.bernoulli(torch.sigmoid(X[:, :1] - 0.8 * X[:, 1:2] + 1.0))
    loader = DataLoader(TensorDataset(X, y), batch_size=200, shuffle=True)
    model = Classifier(6)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)
    reg_lambda = 0.25
    for epoch in range(200):
        for xb, yb in loader:
            l2_reg = 0
            for W in model.parameters():
                l2_reg = l2_reg + W.norm(2)
            batch_loss = criterion(model(xb), yb) + reg_lambda * l2_reg
            optimizer.zero_grad()
            batch_loss.backward()
            optimizer.step()
        scheduler.step()
    log_loss = criterion(model(X), y).item()
    return model.fc.weight.norm().item(), model.fc.bias.item(), log_loss


norm, bias, log_loss = main()
print("norm", norm, "bias", bias, "log loss", log_loss)
