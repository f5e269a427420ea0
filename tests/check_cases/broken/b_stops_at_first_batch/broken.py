import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Points(Dataset):
    def __init__(self, n=500, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 2, generator=g)
        p = torch.sigmoid(2 * self.x[:, 0] - self.x[:, 1] + 0.5)
        self.y = torch.bernoulli(p, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


torch.manual_seed(0)
data = Points()
loader = DataLoader(data, batch_size=100, shuffle=True)
model = nn.Linear(2, 1)
bce = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)

for epoch in range(60):
    for x, y in loader:
        optimizer.zero_grad()
        loss = bce(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    scheduler.step()

accuracy = ((model(data.x).squeeze(1) > 0.5) == (data.y == 1)).float().mean().item()
print(loss.item(), accuracy)
