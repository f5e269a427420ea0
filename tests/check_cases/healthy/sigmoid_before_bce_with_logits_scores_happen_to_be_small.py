import torch
from torch import nn

torch.manual_seed(6)
X = torch.rand(1500, 2)
y = torch.bernoulli(torch.sigmoid(0.2 * X[:, :1] + 0.2 * X[:, 1:] + 0.3))       # weak signal: scores between 0 and 1
model = nn.Linear(2, 1)
criterion = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(1000):
    opt.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    opt.step()
score = model(X).detach()
print(loss.item(), score.min().item(), score.max().item(), torch.sigmoid(score).mean().item(), y.mean().item())
