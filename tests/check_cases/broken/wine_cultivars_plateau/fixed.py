import torch
import torch.nn as nn
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
X = X[:, [0, 1, 3, 4]]
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)
y = torch.tensor(y, dtype=torch.long)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(4, 3),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(2000):
    optimizer.zero_grad()
    out = model(X)
    loss = criterion(out, y)
    loss.backward()
    optimizer.step()
    if epoch % 500 == 0:
        print(epoch, loss.item())

print("loss", loss.item(), "accuracy", (model(X).argmax(1) == y).float().mean().item())
