import torch
from torch import nn

# hinge at the output of the loss, not of the model; and a hidden ReLU feature made beforehand
torch.manual_seed(0)
x = torch.randn(300, 1)
features = torch.cat([x, torch.relu(x)], dim=1)
y = 1.0 * x - 2.0 * torch.relu(x) + 0.5 + 0.1 * torch.randn(300, 1)
model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.2)
for epoch in range(1500):
    loss = nn.functional.mse_loss(model(features), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
