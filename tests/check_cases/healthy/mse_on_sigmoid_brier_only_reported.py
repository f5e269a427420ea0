import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(700, 3)
y = torch.bernoulli(torch.sigmoid(X @ torch.tensor([1.0, -2.0, 0.0]) + 0.3)).unsqueeze(1)

model = nn.Linear(3, 1)
train_loss = nn.BCEWithLogitsLoss()
brier = nn.MSELoss()
opt = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(500):
    opt.zero_grad()
    loss = train_loss(model(X), y)
    loss.backward()
    opt.step()
    if epoch % 100 == 0:
        with torch.no_grad():
            print(epoch, loss.item(), "Brier score", brier(torch.sigmoid(model(X)), y).item())
print(loss.item())
