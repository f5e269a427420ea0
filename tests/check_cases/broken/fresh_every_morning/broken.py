import torch


class Net(torch.nn.Module):
    def __init__(self, D_in):
        super(Net, self).__init__()
        self.D_in = D_in
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return torch.nn.Linear(self.D_in, 1, bias=False)(x) + self.bias


torch.manual_seed(0)
x = torch.randn(200, 6)
y = x.sum(dim=1, keepdim=True) + 2 + 0.1 * torch.randn(200, 1)

model = Net(6)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for t in range(500):
    loss = torch.nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if t % 100 == 99:
        print(t, loss.item())
print("bias", model.bias.item(), "loss", loss.item())
