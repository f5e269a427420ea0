import torch
import torch.nn as nn

torch.manual_seed(42)
X = torch.randn(300, 3)
true_w = torch.tensor([[1.5], [-2.0], [0.7]])
y = X @ true_w + 0.3 + 0.1 * torch.randn(300, 1)

model = nn.Sequential(nn.Linear(3, 1))
loss_fn = nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

history = []
for t in range(200):
    y_pred = model(X)
    loss = loss_fn(y_pred, y)
    history.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(history[:4], history[-1])
print(model[0].weight)
