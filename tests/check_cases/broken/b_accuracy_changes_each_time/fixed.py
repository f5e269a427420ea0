import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.randn(1200, 30)
y = (X[:, :6].sum(1) + 0.5 * torch.randn(1200) > 0).long()
train, test = TensorDataset(X[:800], y[:800]), TensorDataset(X[800:], y[800:])

model = nn.Sequential(nn.Dropout(0.5), nn.Linear(30, 2))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)


def evaluate():
    correct = 0
    with torch.no_grad():
        for xb, yb in DataLoader(test, batch_size=100):
            correct += (model(xb).argmax(1) == yb).sum().item()
    return correct / len(test)


for epoch in range(60):
    model.train()
    for xb, yb in DataLoader(train, batch_size=80, shuffle=True):
        optimizer.zero_grad()
        criterion(model(xb), yb).backward()
        optimizer.step()
    scheduler.step()
model.eval()
accuracies = [evaluate() for _ in range(5)]
print("test accuracy, five times:", accuracies)
