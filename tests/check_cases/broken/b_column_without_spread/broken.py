import torch
from sklearn.datasets import load_wine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
wine = load_wine()
X = torch.tensor(wine.data[:, [0, 1, 2, 3, 9, 10]], dtype=torch.float32)
harvest = torch.full((len(X), 1), 1991.0)
X = torch.cat([X, harvest], dim=1)
y = torch.tensor(wine.target)

scale = X.std(dim=0)
X = (X - X.mean(dim=0)) / scale
model = nn.Linear(X.shape[1], 3)
optimizer = torch.optim.Adam([{"params": model.weight, "weight_decay": 0.02}, {"params": model.bias}], lr=0.05)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.96)
for epoch in range(120):
    for xb, yb in DataLoader(TensorDataset(X, y), batch_size=60, shuffle=True):
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
accuracy = (model(X).argmax(1) == y).float().mean().item()
print("loss", loss.item(), "accuracy", accuracy)
