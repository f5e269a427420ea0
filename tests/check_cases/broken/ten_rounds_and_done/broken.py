import torch


class Regression(torch.nn.Module):
    def __init__(self, d):
        super(Regression, self).__init__()
        self.fc = torch.nn.Linear(d, 1)

    def forward(self, x):
        return self.fc(x)


def make(n=500, d=8):
    g = torch.Generator().manual_seed(11)
    base = torch.randn(n, d, generator=g)
    X = base + 0.5 * base[:, :1]
    w = torch.linspace(-3, 4, d).view(-1, 1)
    return X, X @ w + 6.0 + 0.5 * torch.randn(n, 1, generator=g)


def main(num_epochs=10):
    torch.manual_seed(1)
    X, y = make()
    model = Regression(8)
    loss_fn = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(num_epochs):
        pred = model(X)
        loss = loss_fn(pred, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print("epoch", epoch, "loss", loss.item())
    return model, X, y, loss.item()


if __name__ == "__main__":
    model, X, y, last = main()
