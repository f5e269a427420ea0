import torch
from torch import nn

torch.manual_seed(3)
n = 400
area = torch.empty(n).uniform_(300, 3500)
rooms = torch.randint(1, 7, (n,)).float()
age = torch.empty(n).uniform_(0, 90)
rent = 0.9 * area + 140.0 * rooms - 4.0 * age + 650.0 + 40 * torch.randn(n)

X = torch.stack([area, rooms, age], dim=1)
X = (X - X.mean(0)) / X.std(0)
y = rent.view(-1, 1)

net = nn.Sequential(nn.Linear(3, 1))
criterion = nn.MSELoss()
opt = torch.optim.SGD(net.parameters(), lr=0.1)

for epoch in range(4000):
    opt.zero_grad()
    out = net(X)
    loss = criterion(out, y)
    loss.backward()
    opt.step()
    if epoch % 1000 == 0:
        print(epoch, loss.item())

print("final", loss.item(), net[0].weight.data, net[0].bias.data)
