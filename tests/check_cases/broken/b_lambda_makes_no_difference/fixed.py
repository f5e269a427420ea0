import torch
import torch.nn as nn
from sklearn.linear_model import Ridge

torch.manual_seed(0)
X = torch.randn(60, 20)
beta = torch.zeros(20)
beta[:4] = torch.tensor([3.0, -2.0, 1.0, 1.0])
y = (X @ beta + 1.0 + torch.randn(60)).unsqueeze(1)

model = nn.Linear(20, 1)
mse = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
lambda_ = 0.5

for epoch in range(3000):
    l2 = 0.0
    for name, param in model.named_parameters():
        if "bias" not in name:
            l2 += param.pow(2).sum()
    loss = mse(model(X), y) + lambda_ * l2
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

ridge = Ridge(alpha=lambda_ * 60).fit(X.numpy(), y.numpy().ravel())
print("loss", loss.item(), "|w|^2", model.weight.pow(2).sum().item(), "scikit-learn", float((ridge.coef_ ** 2).sum()))
