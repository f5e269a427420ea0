import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(0)
X = torch.randn(200, 4)
Y = X @ torch.randn(4, 2) + 0.1 * torch.randn(200, 2)

net = nn.Linear(4, 2)
optimizer = optim.SGD(net.parameters(), lr=0.2)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=100, gamma=0.5)

for epoch in range(300):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(X), Y)
    loss.backward()
    scheduler.step()
print("loss", loss.item(), "lr", scheduler.get_last_lr()[0])
