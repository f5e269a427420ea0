import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def blobs():
    g = torch.Generator().manual_seed(30)
    centre = torch.tensor([[0.0, 2.0], [2.0, 0.0], [-2.0, 0.0], [0.0, -2.0], [0.0, 0.0]])
    label = torch.randint(0, 5, (1000,), generator=g)
    return centre[label] + 0.8 * torch.randn(1000, 2, generator=g), label


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = torch.nn.Linear(2, 5)

    def forward(self, x):
        return F.log_softmax(self.lin(x), dim=1)


def accuracy(net, loader):
    hits = 0
    for x, y in loader:
        hits += (net(x).min(1)[1] == y).sum().item()
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(1)
    loader = DataLoader(TensorDataset(*blobs()), batch_size=100, shuffle=True)
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=0.05)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)
    for epoch in range(60):
        for x, y in loader:
            loss = F.nll_loss(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step()
    return loss.item(), accuracy(net, loader)


if __name__ == "__main__":
    loss, acc = main()
    print("loss", loss, "accuracy", acc)
