import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def get_data():
    g = torch.Generator().manual_seed(13)
    X = torch.randn(1200, 6, generator=g)
    p = torch.sigmoid(X @ torch.tensor([1.0, -1.0, 0.5, 0.0, 0.0, 0.8]))
    return X, torch.bernoulli(p, generator=g)


def main():
    torch.manual_seed(2)
    X, y = get_data()
    loader = DataLoader(TensorDataset(X, y), batch_size=120, shuffle=True)
    w = torch.zeros(6, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    for epoch in range(40):
        for xb, yb in loader:
            loss = F.binary_cross_entropy(torch.sigmoid(xb @ w + b), yb)
            loss.backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
                b -= 0.1 * b.grad
                w.grad.zero_()
                b.grad.zero_()
        if epoch % 10 == 0:
            print(epoch, loss.item())
    return w.detach(), b.detach(), X, y


w, b, X, y = main()
final = F.binary_cross_entropy(torch.sigmoid(X @ w + b), y).item()
print("full loss", final, "weights", w.tolist())
