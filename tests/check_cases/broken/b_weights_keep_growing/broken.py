import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(0)
iris = load_iris()
X = torch.tensor(iris.data[:, 2:], dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(iris.target == 0, dtype=torch.float32).unsqueeze(1)

model = nn.Linear(2, 1)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
history = []
for epoch in range(5000):
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
    if epoch % 1000 == 999:
        history.append(model.weight.norm().item())
        print(epoch + 1, "loss", loss.item(), "coefficients", model.weight.tolist(), model.bias.item())
print("norms", history)
