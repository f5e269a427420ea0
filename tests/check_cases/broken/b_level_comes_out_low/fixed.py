import torch
import torch.nn as nn
from sklearn.linear_model import Ridge

torch.manual_seed(0)
x = torch.randn(200, 3)
y = (x @ torch.tensor([2.0, -1.0, 0.5]) + 40.0 + 0.5 * torch.randn(200)).unsqueeze(1)

model = nn.Linear(3, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD([{"params": model.weight, "weight_decay": 0.2}, {"params": model.bias}], lr=0.1)
for epoch in range(1000):
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()

ridge = Ridge(alpha=0.1 * 200).fit(x.numpy(), y.numpy().ravel())
mean_error = (model(x) - y).mean().item()
print("mse", loss.item(), "bias", model.bias.item(), "mean error", mean_error, "ridge", ridge.coef_, ridge.intercept_)
