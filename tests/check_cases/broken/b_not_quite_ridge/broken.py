import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

torch.manual_seed(0)
X, t = load_diabetes(return_X_y=True)
X = torch.tensor(X[:, [2, 3, 8, 9]] * 21, dtype=torch.float32)
t = torch.tensor(t / 100, dtype=torch.float32).reshape(-1, 1)

model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
lam = 0.3
for epoch in range(2000):
    optimizer.zero_grad()
    l2_reg = torch.norm(model.weight, p=2)
    loss = nn.functional.mse_loss(model(X), t) + lam * l2_reg
    loss.backward()
    optimizer.step()

ridge = Ridge(alpha=lam * len(t)).fit(X.numpy(), t.numpy().ravel())
print("pytorch", model.weight.tolist(), "ridge", ridge.coef_.tolist())
