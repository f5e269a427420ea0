import torch


class LinearModel(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(n, dtype=torch.float64))
        self.b = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return x @ self.w + self.b


def train(epochs=300):
    torch.manual_seed(0)
    X = torch.randn(350, 5, dtype=torch.float64)
    y = X.sum(1) + 7.0 + 0.2 * torch.randn(350, dtype=torch.float64)
    model = LinearModel(5)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    for _ in range(epochs):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(X), y)
        loss.backward()
        opt.step()
    return model, loss.item(), X, y


model, loss, X, y = train()
print("loss", loss, "b", model.b.item())
