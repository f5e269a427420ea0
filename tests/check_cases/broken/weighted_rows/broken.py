import torch
from torch import nn

torch.manual_seed(1)
X = torch.randn(400, 3)
y = (torch.rand(400, 1) < torch.sigmoid(X[:, :1] * 2 - 1)).float()
row_weight = torch.where(y == 1, 2.0, 1.0)

model = nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())
criterion = nn.BCELoss(reduction='none')
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

for epoch in range(400):
    optimizer.zero_grad()
    loss = criterion(model(X), y) * row_weight
    loss.backward()
    optimizer.step()

print(loss.mean().item())
