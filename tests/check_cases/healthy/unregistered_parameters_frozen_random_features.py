import torch
from torch import nn

torch.manual_seed(2)
x = torch.linspace(-2, 2, 300).unsqueeze(1)
y = torch.sin(2 * x) + 0.1 * torch.randn(300, 1)


class RandomFeatures(nn.Module):
    """a fixed random layer, only the output layer is trained"""

    def __init__(self, k):
        super().__init__()
        self.register_buffer("A", torch.randn(1, k) * 2)
        self.register_buffer("phase", torch.rand(k) * 6.28)
        self.out = nn.Linear(k, 1)

    def forward(self, x):
        return self.out(torch.cos(x @ self.A + self.phase))


model = RandomFeatures(4)
opt = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for _ in range(10):
    opt.step(closure)
print(closure().item())
