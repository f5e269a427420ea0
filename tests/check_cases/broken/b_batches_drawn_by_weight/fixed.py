import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

torch.manual_seed(4)
n = 1500
fraud = torch.rand(n) < 0.12
x = torch.randn(n, 2) + fraud[:, None] * torch.tensor([1.0, 0.6])
y = fraud.long()

count = torch.bincount(y)
class_weight = n / count
sampler = WeightedRandomSampler(class_weight[y], num_samples=n, replacement=True)
loader = DataLoader(TensorDataset(x, y), batch_size=100, sampler=sampler)

model = nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
seen = 0
for epoch in range(60):
    for xb, yb in loader:
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += int(yb.sum())
    scheduler.step()
found = (model(x).argmax(1)[fraud] == 1).float().mean().item()
print("share of fraud in the batches", seen / (60 * n), "found", found)
