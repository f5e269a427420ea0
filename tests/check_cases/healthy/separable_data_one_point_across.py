import torch
from torch import nn

# almost separable: a few rows lie on the wrong side, so the optimum is finite and reached
torch.manual_seed(0)
X = torch.cat([torch.randn(60, 2) * 0.7 - 1.2, torch.randn(60, 2) * 0.7 + 1.2])
y = torch.cat([torch.zeros(60), torch.ones(60)])
y[0], y[1], y[60], y[75] = 1.0, 1.0, 0.0, 0.0
model = nn.Linear(2, 1)
opt = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-7)


def closure():
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(X).squeeze(1), y)
    loss.backward()
    return loss


for step in range(5):
    loss = opt.step(closure)
print(loss.item(), model.weight.tolist(), model.bias.item())
