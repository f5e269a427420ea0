import torch
import torch.nn as nn

torch.manual_seed(0)
X = torch.randn(100, 3)
y = X @ torch.tensor([[1.0], [2.0], [3.0]]) + 0.1 * torch.randn(100, 1)

model = nn.Linear(3, 1)
params = list(model.parameters())
print("number of parameters:", sum(p.numel() for p in params))

optimizer = torch.optim.SGD(params, lr=0.1)
criterion = nn.MSELoss()
for epoch in range(200):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
print(loss.item())
