import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.out = nn.Linear(d, 2)

    def forward(self, x):
        return F.log_softmax(self.out(x), dim=1)


def make_data(n=400):
    g = torch.Generator().manual_seed(11)
    x = torch.randn(n, 3, generator=g)
    noise = torch.randn(n, generator=g)
    return x, (1.5 * x[:, 0] - x[:, 2] + noise > 0.4).long()


def main():
    torch.manual_seed(0)
    x, y = make_data()
    target = F.one_hot(y, 2).float()
    net = Net(3)
    loss_fn = nn.BCELoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    for epoch in range(2000):
        opt.zero_grad()
        loss = loss_fn(net(x), target)
        loss.backward()
        opt.step()
        if epoch % 500 == 0:
            print(epoch, loss.item())
    return loss.item(), (net(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    final = main()
    print(final)
