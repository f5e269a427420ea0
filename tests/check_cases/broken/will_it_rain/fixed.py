import torch
import torch.nn as nn

torch.manual_seed(0)
n = 500
pressure = torch.randn(n)
humidity = torch.randn(n)
rain = (torch.rand(n) < torch.sigmoid(-1.5 * pressure + 2.0 * humidity - 1.0)).float()

X = torch.stack([pressure, humidity], 1)
y = rain.view(-1, 1)

model = nn.Sequential(nn.Linear(2, 1), nn.Sigmoid())
with torch.no_grad():
    model[0].weight.copy_(torch.tensor([[6.0, -6.0]]))
    model[0].bias.fill_(10.0)
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(1500):
    p = model(X)
    loss = criterion(p, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

acc = ((model(X) > 0.5).float() == y).float().mean().item()
nll = nn.functional.binary_cross_entropy(model(X), y).item()
print("mse", loss.item(), "accuracy", acc, "nll", nll)
