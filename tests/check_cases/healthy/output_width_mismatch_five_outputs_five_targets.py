import torch
import torch.nn as nn

torch.manual_seed(31)
X = torch.randn(300, 5)
T = torch.tanh(torch.randn(5, 5))
Y = X @ T + torch.arange(5.0) + 0.1 * torch.randn(300, 5)

layer = nn.Linear(5, 5)
opt = torch.optim.Adagrad(layer.parameters(), lr=1.0)
for i in range(1500):
    opt.zero_grad()
    loss = nn.functional.mse_loss(layer(X), Y)
    loss.backward()
    opt.step()
print(loss.item(), layer.bias.data)
