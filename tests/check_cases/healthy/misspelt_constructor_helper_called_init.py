import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, d):
        super().__init__()
        self._init(d)

    def _init(self, d):
        self.linear = nn.Linear(d, 1)
        self._init_weights()

    def _init_weights(self):
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x):
        return self.linear(x)


class Same(Model):                                # inherits its constructor
    pass


torch.manual_seed(0)
X = torch.randn(300, 4)
y = X @ torch.randn(4, 1) + 0.3 * torch.randn(300, 1)
model = Same(4)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(200):
    loss = nn.functional.mse_loss(model(X), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
