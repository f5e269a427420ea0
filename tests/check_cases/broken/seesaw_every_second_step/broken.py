import torch
from torch import nn

torch.manual_seed(5)
torch.set_default_dtype(torch.double)
X = torch.randn(400, 2) * torch.tensor([1.5, 1.0]) + torch.tensor([0.3, -0.2])
flip = torch.rand(400) < 0.15
y = ((X[:, 0] - X[:, 1] > 0) ^ flip).double().unsqueeze(1)


class Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, 1))
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x @ self.w + self.b


clf = Logistic()
bce = nn.BCEWithLogitsLoss()
sgd = torch.optim.SGD(clf.parameters(), lr=40.0)

for epoch in range(300):
    loss = bce(clf(X), y)
    sgd.zero_grad()
    loss.backward()
    sgd.step()
    if epoch >= 294:
        print(epoch, round(loss.item(), 4))

accuracy = ((clf(X) > 0).double() == y).double().mean().item()
print("accuracy", accuracy, "loss", bce(clf(X), y).item())
