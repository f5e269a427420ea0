import torch

torch.manual_seed(7)
a = torch.randn(400, 1)
b = 0.9 * a + 0.44 * torch.randn(400, 1)          # correlation 0.9, not a copy
c = torch.randn(400, 1)
X = torch.cat([a, b, c], 1)
y = a - b + 2 * c + 0.5 + 0.3 * torch.randn(400, 1)
net = torch.nn.Linear(3, 1)
opt = torch.optim.SGD(net.parameters(), lr=0.3)
for _ in range(800):
    opt.zero_grad()
    loss = torch.nn.functional.mse_loss(net(X), y)
    loss.backward()
    opt.step()
print(loss.item(), net.weight.tolist())
