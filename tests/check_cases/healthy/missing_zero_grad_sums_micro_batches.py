import torch
from torch import nn

torch.manual_seed(3)
X = torch.randn(640, 5)
y = (X @ torch.randn(5, 1) + 0.5 * torch.randn(640, 1) > 0.2).float()
noisy = torch.rand(640, 1) < 0.1
y[noisy] = 1 - y[noisy]

model = nn.Sequential(nn.Linear(5, 1))
loss_fn = nn.BCEWithLogitsLoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)

for epoch in range(300):
    optimizer.zero_grad()
    for xb, yb in zip(X.chunk(8), y.chunk(8)):        # one step a pass, memory of one chunk
        (loss_fn(model(xb), yb) / len(X)).backward()
    optimizer.step()

print(loss_fn(model(X), y).item() / len(X))
