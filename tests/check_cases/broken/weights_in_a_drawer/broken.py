import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, groups):
        super(Net, self).__init__()
        self.layer = nn.Linear(2, 1)
        self.list_of_layers = [nn.Linear(2, 1, bias=False) for _ in range(groups)]

    def forward(self, x):
        out = self.layer(x[:, :2])
        for k, l in enumerate(self.list_of_layers):
            out = out + l(x[:, 2 * k + 2:2 * k + 4])
        return out


torch.manual_seed(1)
X = torch.randn(400, 8)
y = X @ torch.tensor([[1.], [1.], [2.], [-2.], [3.], [0.], [-1.], [4.]]) + 0.5 + 0.1 * torch.randn(400, 1)

n = Net(3)
opt = torch.optim.Adam(n.parameters(), lr=0.05)
for epoch in range(600):
    loss = nn.functional.mse_loss(n(X), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("parameters", sum(p.numel() for p in n.parameters()), "loss", loss.item())
