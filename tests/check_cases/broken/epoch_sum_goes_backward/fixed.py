import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class PoissonReg(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.linear = nn.Linear(d, 1)

    def forward(self, x):
        return torch.exp(self.linear(x)).squeeze(1)


torch.manual_seed(0)
x = torch.randn(600, 3) * 0.5
c = torch.poisson(torch.exp(x @ torch.tensor([1.0, -0.5, 0.3]) + 0.5))
loader = DataLoader(TensorDataset(x, c), batch_size=150, shuffle=True)
model = PoissonReg(3)
loss_fn = nn.PoissonNLLLoss(log_input=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(100):
    for xb, cb in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), cb)
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("loss", loss_fn(model(x), c).item(), "weights", model.linear.weight.tolist())
