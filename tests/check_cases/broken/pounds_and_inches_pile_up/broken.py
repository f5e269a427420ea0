import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(120, 2)
y = x @ torch.tensor([[2.0], [-1.0]]) + 3 + 0.1 * torch.randn(120, 1)

model = nn.Linear(2, 1)
loss_fn = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)

for epoch in range(400):
    out = model(x)
    loss = loss_fn(out, y)
    loss.backward()
    optimizer.step()
    if epoch % 50 == 0:
        print(epoch, loss.item())

print("last", loss.item())
