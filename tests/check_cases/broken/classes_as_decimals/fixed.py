import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.RandomState(5)
X = rng.randn(450, 4)
table = np.column_stack([X, (X[:, 0] + 0.8 * rng.randn(450) > 0.5).astype(int) + (X[:, 1] + 0.8 * rng.randn(450) > 0)])
data = torch.tensor(table, dtype=torch.float32)
features, labels = data[:, :-1], data[:, -1].long()

torch.manual_seed(5)
net = torch.nn.Sequential(torch.nn.Linear(4, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.05)
for step in range(500):
    loss = F.cross_entropy(net(features), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
