import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(500, 10)
y = torch.sign(x[:, 0] - 2 * x[:, 3] + 0.5 * torch.randn(500))

model = nn.Linear(10, 1)
def criterion(score, label):
    return torch.clamp(1 - label * score, min=0).pow(2).mean()


optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(2000):
    output = model(x).squeeze()
    loss = criterion(output, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 400 == 0:
        print(epoch, loss.item())

accuracy = (torch.sign(model(x).squeeze()) == y).float().mean().item()
print("loss", loss.item(), "accuracy", accuracy)
