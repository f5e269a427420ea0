import torch
import torch.nn as nn

torch.manual_seed(0)
X = torch.randn(500, 10)
y = X @ torch.randn(10, 1) + 0.1 * torch.randn(500, 1)

model = nn.Linear(10, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

losses = []
for epoch in range(1500):
    optimizer.zero_grad()
    output = model(X)
    loss = criterion(output, y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

print("steps", len(losses), "last loss", loss.item(), "kept with a graph", sum(torch.is_tensor(v) and v.requires_grad for v in losses))
