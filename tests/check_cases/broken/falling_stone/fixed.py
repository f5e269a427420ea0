import torch
import torch.nn as nn

torch.manual_seed(0)
t = torch.linspace(-2, 2, 100).unsqueeze(1)
height = 20 - 4.9 * t ** 2 + 0.2 * torch.randn(100, 1)

t = torch.cat([t, t ** 2], dim=1)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(1000):
    loss = nn.MSELoss()(model(t), height)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 200 == 0:
        print(epoch, loss.item())
print("loss", loss.item(), "R2", 1 - loss.item() / height.var(unbiased=False).item())
