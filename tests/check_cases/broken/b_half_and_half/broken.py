import torch
from torch import nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(3)
data = load_breast_cancer()
X = torch.tensor(data.data[:, [1, 4, 7, 8]], dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(data.target, dtype=torch.float32).unsqueeze(1)

model = nn.Sequential(nn.Linear(4, 1), nn.LogSigmoid())
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

for epoch in range(3000):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()

with torch.no_grad():
    p = torch.sigmoid(model(X))
print("loss", loss.item(), "accuracy", ((p > 0.5).float() == y).float().mean().item())
