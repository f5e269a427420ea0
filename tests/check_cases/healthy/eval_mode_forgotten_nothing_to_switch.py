import torch
from torch import nn

# no eval() anywhere, and none is needed: neither dropout nor batch norm in the model
torch.manual_seed(0)
X = torch.randn(500, 5)
y = (X[:, 0] - X[:, 1] + 0.7 * torch.randn(500) > 0).float()
model = nn.Sequential(nn.Flatten(), nn.Linear(5, 1))
opt = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(600):
    model.train()
    loss = nn.functional.binary_cross_entropy_with_logits(model(X[:400]).squeeze(1), y[:400])
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    accuracy = ((model(X[400:]).squeeze(1) > 0).float() == y[400:]).float().mean().item()
print(loss.item(), accuracy)
