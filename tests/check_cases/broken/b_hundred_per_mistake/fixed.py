import torch
import torch.nn as nn

torch.manual_seed(5)
X = torch.randn(300, 2)
y = torch.bernoulli(torch.sigmoid(1.5 * X[:, :1] - X[:, 1:]))

model = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(3000):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
p = model(X)
nll = criterion(p, y).item()
print("loss", loss.item(), "mean log loss of the probabilities", nll, "extreme", ((p < 0.01) | (p > 0.99)).float().mean().item())
