import torch
from torch import nn

torch.manual_seed(1)
X = torch.randn(300, 4)
y = torch.bernoulli(torch.sigmoid(X @ torch.tensor([1.0, -1.0, 0.5, 0.0]) + 0.3))
model = nn.Linear(4, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
for _ in range(300):
    loss = nn.functional.binary_cross_entropy_with_logits(model(X).squeeze(1), y)
    for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters()))):
        p.grad = g                                # backward() is never called
    opt.step()
print(loss.item())
