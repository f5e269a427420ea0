import torch
from torch import nn

torch.manual_seed(1)
X = torch.randn(400, 3)
y = torch.distributions.Categorical(logits=X @ torch.randn(3, 3) + 0.2).sample()
W = torch.zeros(3, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
opt = torch.optim.LBFGS([W, b], line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    s = X @ W + b
    loss = nn.NLLLoss()(s - s.logsumexp(dim=1, keepdim=True), y)
    loss.backward()
    return loss


for _ in range(10):
    loss = opt.step(closure)
print(closure().item())
