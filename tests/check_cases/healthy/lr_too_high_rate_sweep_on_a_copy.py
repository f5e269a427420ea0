import copy

import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(400, 5)
y = X @ torch.randn(5, 1) + 1.0 + 0.3 * torch.randn(400, 1)


def steps(model, lr, n):
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(n):
        loss = nn.functional.mse_loss(model(X), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return nn.functional.mse_loss(model(X), y).item()


model = nn.Linear(5, 1)
tried = {lr: steps(copy.deepcopy(model), lr, 15) for lr in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)}     # on copies: some explode
best = min((value, lr) for lr, value in tried.items() if value == value)[1]
final = steps(model, best, 300)
print("rates tried", tried, "chosen", best)
print(final)
