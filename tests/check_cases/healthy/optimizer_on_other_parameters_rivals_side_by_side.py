import copy

import torch
from torch import nn

torch.manual_seed(2)
X = torch.randn(300, 3)
y = X @ torch.tensor([[1.0], [2.0], [-1.0]]) + 0.2 * torch.randn(300, 1)

first = nn.Linear(3, 1)
second = copy.deepcopy(first)                     # same start, other optimizer
opts = {"sgd": torch.optim.SGD(first.parameters(), lr=0.1), "adam": torch.optim.Adam(second.parameters(), lr=0.05)}
models = {"sgd": first, "adam": second}

for name in opts:
    for epoch in range(600):
        loss = nn.functional.mse_loss(models[name](X), y)
        opts[name].zero_grad()
        loss.backward()
        opts[name].step()
    print(name, loss.item())
