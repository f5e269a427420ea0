import torch
from torch import nn

torch.manual_seed(2)
X = torch.randn(300, 3)
y = (X[:, 0] - X[:, 2] + torch.randn(300) > 0).long()
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(500):
    score = model(X)
    loss = nn.functional.binary_cross_entropy_with_logits(score.squeeze(1), y.float())
    opt.zero_grad()
    loss.backward()
    opt.step()
both = torch.cat([1 - score.sigmoid(), score.sigmoid()], dim=1)
print(loss.item(), (both.argmax(dim=1) == y).float().mean().item())
