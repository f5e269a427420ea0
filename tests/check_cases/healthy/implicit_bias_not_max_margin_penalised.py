import torch
from torch import nn

# separable points, but a penalty makes the optimum finite, and no margin is promised
torch.manual_seed(0)
X = torch.cat([torch.randn(50, 2) * 0.3 + 2.0, torch.randn(50, 2) * 0.6 - 2.0])
y = torch.cat([torch.ones(50), torch.zeros(50)])
model = nn.Linear(2, 1)
for epoch in range(4000):
    loss = nn.functional.binary_cross_entropy_with_logits(model(X).squeeze(1), y) + 0.01 * model.weight.pow(2).sum()
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.3 * p.grad
print(loss.item(), model.weight.tolist(), model.bias.item())
