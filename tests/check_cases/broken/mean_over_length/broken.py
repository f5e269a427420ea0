import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(12)
    X = torch.randn(1500, 8)
    y = torch.bernoulli(torch.sigmoid(X @ torch.tensor([1., -1, 1, -1, .5, -.5, 0, 0]) + 0.5)).view(-1, 1)
    train_dl = DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True)
    model = nn.Linear(8, 1)
    loss_fn = nn.BCEWithLogitsLoss()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(40):
        for xb, yb in train_dl:
            loss = loss_fn(model(xb), yb) / len(xb)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return model, X, y, loss_fn(model(X), y).item()


if __name__ == "__main__":
    model, X, y, final = main()
    print("final", final)
