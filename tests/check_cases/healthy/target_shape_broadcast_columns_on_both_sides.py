import torch
from torch import nn

torch.manual_seed(12)
X = torch.randn(220, 3)
price = X @ torch.tensor([1.0, 2.0, -1.5]) + 0.8 + 0.2 * torch.randn(220)      # shape (220,)
y = price.unsqueeze(1)

scale = torch.tensor([[1.0, 0.5, 2.0]])           # (1,3) against (220,3): meant
X = X * scale

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(400):
    residual = model(X) - y
    loss = (residual ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

with torch.no_grad():
    pairs = (price[:, None] - model(X).view(1, -1)).abs()       # every price against every prediction, for the report
print(loss.item(), pairs.mean().item())
