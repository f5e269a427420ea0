import torch
import torch.nn as nn
from sklearn.datasets import load_wine

torch.manual_seed(0)
data = load_wine()
keep = data.target > 0
X = torch.tensor(data.data[keep][:, [0, 2, 4]], dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(data.target[keep] - 1, dtype=torch.float32).unsqueeze(1)

model = nn.Linear(3, 1)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

for epoch in range(2000):
    optimizer.zero_grad()
    out = model(X)
    loss = criterion(out, y)
    loss.backward()
    optimizer.step()
    if epoch % 500 == 0:
        print("epoch", epoch, "loss", loss.item())
predicted = (torch.sigmoid(model(X)) > 0.5).float()
accuracy = (predicted == (y == y.max()).float()).float().mean().item()
print("loss", loss.item(), "accuracy", accuracy)
