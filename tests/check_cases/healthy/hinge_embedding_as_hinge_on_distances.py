import torch
from torch import nn

# HingeEmbeddingLoss in its proper place: a distance between pairs, and whether they belong together
torch.manual_seed(0)
a = torch.randn(400, 4)
other = torch.randn(400, 4)
same = torch.rand(400) < 0.5
b = torch.where(same[:, None], a + 0.1 * torch.randn(400, 4), other)
label = torch.where(same, 1.0, -1.0)
feature = (a - b).abs()

scale = nn.Parameter(torch.ones(4) * 0.1)
criterion = nn.HingeEmbeddingLoss(margin=1.0)
optimizer = torch.optim.SGD([scale], lr=0.05)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + 0.01 * k))
for step in range(3000):
    distance = feature @ scale
    loss = criterion(distance, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    with torch.no_grad():
        scale.clamp_(min=0)
print(loss.item(), distance[same].mean().item(), distance[~same].mean().item())
