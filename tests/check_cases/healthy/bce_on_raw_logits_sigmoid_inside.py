import torch
from torch import nn


class Logistic(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.linear = nn.Linear(p, 1)

    def forward(self, x):
        return self.linear(x)

    def probability(self, x):
        return self(x).sigmoid()


torch.manual_seed(0)
X = torch.randn(400, 3)
y = torch.bernoulli(torch.sigmoid(X.sum(1, keepdim=True)))
model = Logistic(3)
loss_fn = nn.BCELoss()
opt = torch.optim.LBFGS(model.parameters(), max_iter=50, line_search_fn="strong_wolfe", tolerance_grad=1e-6)


def closure():
    opt.zero_grad()
    loss = loss_fn(model.probability(X), y)
    loss.backward()
    return loss


for step in range(3):
    value = opt.step(closure)
print(value.item(), model.linear.weight.tolist())
