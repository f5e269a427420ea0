import torch
from torch import nn

# balanced classes, unequal costs: missing class 0 is declared three times as dear
torch.manual_seed(0)
X = torch.randn(1000, 2)
y = (X[:, 0] + X[:, 1] + torch.randn(1000) > 0).long()
model = nn.Linear(2, 2)
criterion = nn.CrossEntropyLoss(weight=torch.tensor([3.0, 1.0]))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(600):
    loss = criterion(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
pred = model(X).argmax(1)
print(loss.item(), (pred[y == 0] == 0).float().mean().item(), (pred[y == 1] == 1).float().mean().item())
