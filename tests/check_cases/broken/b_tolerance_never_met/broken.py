import torch
import torch.nn as nn

torch.manual_seed(3)
X = torch.randn(80, 6)
y = X @ torch.tensor([[4.0], [-7.0], [1.0], [12.0], [0.5], [-2.0]]) + 9.0

model = nn.Linear(6, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)

epoch, tolerance = 0, 1e-20
loss = torch.tensor(float("inf"))
while loss.item() > tolerance and epoch < 3000:
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
    epoch += 1
print("epochs", epoch, "loss", loss.item(), "tolerance reached:", loss.item() <= tolerance)
