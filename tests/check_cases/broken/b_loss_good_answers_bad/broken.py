import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(0)
iris = load_iris()
X = torch.tensor(iris.data, dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(iris.target)

model = nn.Linear(4, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD([{"params": [model.weight], "weight_decay": 0.02}, {"params": [model.bias]}], lr=0.3)
for epoch in range(3000):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()

with torch.no_grad():
    predicted = torch.argmin(model(X), dim=1)
accuracy = (predicted == y).float().mean().item()
print("loss", loss.item(), "accuracy", accuracy)
