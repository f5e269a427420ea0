import torch
import torch.nn as nn

torch.manual_seed(0)
rooms = torch.rand(120, 3) * 2 - 1
price = (rooms @ torch.tensor([[2.0], [-1.0], [0.5]])) + 1.5 + 0.1 * torch.randn(120, 1)

net = nn.Linear(3, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

for epoch in range(1000):
    optimizer.zero_grad()
    pred = net(rooms)
    loss = criterion(pred, price)
    loss.backward()
    optimizer.step()
    if epoch % 200 == 0:
        print("epoch", epoch, "loss", loss.item())

mse = ((net(rooms) - price) ** 2).mean().item()
print("mean squared error", mse)
