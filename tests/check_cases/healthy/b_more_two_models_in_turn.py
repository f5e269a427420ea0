import torch
from torch import nn


def fit(X, y, lam, steps=800):
    model = nn.Linear(X.shape[1], 1)
    opt = torch.optim.SGD([{"params": model.weight, "weight_decay": 2 * lam}, {"params": model.bias}], lr=0.1)
    for step in range(steps):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X), y)
        loss.backward()
        opt.step()
    return model


torch.manual_seed(5)
X = torch.randn(200, 8)
y = X[:, :1] - X[:, 1:2] + 2 + torch.randn(200, 1)
for lam in (0.01, 0.1, 1.0):
    model = fit(X[:150], y[:150], lam)
    print(lam, nn.functional.mse_loss(model(X[150:]), y[150:]).item(), model.weight.norm().item())
