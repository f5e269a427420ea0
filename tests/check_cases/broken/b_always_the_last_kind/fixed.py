import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
centres = torch.tensor([[0.0, 1.5], [1.5, -1.0], [-1.5, -1.0]])
X = torch.cat([c + torch.randn(800, 2) for c in centres])
y = torch.arange(3).repeat_interleave(800)

loader = DataLoader(TensorDataset(X, y), batch_size=40, shuffle=True)
model = nn.Linear(2, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for epoch in range(30):
    epoch_loss = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / len(loader)

with torch.no_grad():
    scores = model(X)
total = criterion(scores, y).item()
accuracy = (scores.argmax(1) == y).float().mean().item()
print("mean batch loss", epoch_loss, "loss on all rows", total, "accuracy", accuracy, "predicted", torch.bincount(scores.argmax(1)).tolist())
