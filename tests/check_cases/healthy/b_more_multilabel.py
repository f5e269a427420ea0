import torch
from torch import nn

torch.manual_seed(1)
X = torch.randn(600, 5)
labels = torch.bernoulli(torch.sigmoid(X @ torch.randn(5, 3)))
model = nn.Linear(5, 3)
loss_fn = nn.BCEWithLogitsLoss(pos_weight=(labels == 0).sum(0) / (labels == 1).sum(0))
opt = torch.optim.LBFGS(model.parameters(), max_iter=100, line_search_fn="strong_wolfe", tolerance_grad=1e-6)


def closure():
    opt.zero_grad()
    loss = loss_fn(model(X), labels)
    loss.backward()
    return loss


for step in range(4):
    loss = opt.step(closure)
print(loss.item(), ((model(X) > 0).float() == labels).float().mean().item())
