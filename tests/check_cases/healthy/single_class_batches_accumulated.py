import torch
from torch import nn

# each pass sees one class at a time, but the step is taken on the sum over all classes
torch.manual_seed(0)
X = torch.cat([torch.randn(150, 2) + torch.tensor([1.0, 0.0]), torch.randn(150, 2) - torch.tensor([1.0, 0.0])])
y = torch.cat([torch.ones(150), torch.zeros(150)])
model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(500):
    opt.zero_grad()
    for k in (0.0, 1.0):
        part = nn.functional.binary_cross_entropy_with_logits(model(X[y == k]).squeeze(1), y[y == k])
        (part / 2).backward()
    opt.step()
with torch.no_grad():
    loss = nn.functional.binary_cross_entropy_with_logits(model(X).squeeze(1), y)
print(loss.item(), ((model(X).squeeze(1) > 0).float() == y).float().mean().item())
