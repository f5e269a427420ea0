import torch
import torch.nn.functional as F

torch.manual_seed(8)
x = torch.randn(400, 6)
y = torch.sign(x @ torch.randn(6) + torch.randn(400))


def forward(x, theta):
    return x @ theta[:-1] + theta[-1]


theta = torch.zeros(7, requires_grad=True)
optimizer = torch.optim.SGD([theta], lr=0.3)
for epoch in range(1000):
    for xb, yb in zip(x.chunk(4), y.chunk(4)):
        loss = F.binary_cross_entropy_with_logits(forward(xb, theta), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
with torch.no_grad():
    z = forward(x, theta)
    loss = F.binary_cross_entropy_with_logits(z, y).item()
right = (torch.sign(z) == y).float().mean().item()
print("loss", loss, "right", right, "theta", theta.tolist())
