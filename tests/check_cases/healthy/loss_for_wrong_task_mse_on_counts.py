import torch
from torch import nn

# a squared error on whole-number targets that really are a quantity (hours), not class ids
torch.manual_seed(2)
X = torch.randn(200, 2)
hours = torch.round(5 + 1.5 * X[:, 0] - X[:, 1] + 0.3 * torch.randn(200)).unsqueeze(1)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
for epoch in range(400):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(X), hours)
    loss.backward()
    optimizer.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
