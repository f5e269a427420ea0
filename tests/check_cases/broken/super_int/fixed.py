import torch
import torch.nn as nn
import torch.nn.functional as F


class BinaryClassifier(nn.Module):
    def __init__(self, n):
        super(BinaryClassifier, self).__init__()
        self.layer = nn.Linear(n, 1)

    def forward(self, x):
        return torch.sigmoid(self.layer(x)).view(-1)


torch.manual_seed(9)
X = torch.randn(350, 3)
y = torch.bernoulli(torch.sigmoid(2 * X[:, 0] + X[:, 2]))
net = BinaryClassifier(3)
opt = torch.optim.Adam(net.parameters(), lr=0.05)
for epoch in range(500):
    opt.zero_grad()
    loss = F.binary_cross_entropy(net(X), y)
    loss.backward()
    opt.step()
print(loss.item())
