import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rents(Dataset):
    def __init__(self):
        g = torch.Generator().manual_seed(15)
        self.area = torch.rand(480, 1, generator=g) * 2 - 1
        self.rent = 3.0 * self.area[:, 0] + 8.0 + torch.empty(480).exponential_(2.0, generator=g)

    def __len__(self):
        return 480

    def __getitem__(self, i):
        return self.area[i], self.rent[i]


def fit(ds, epochs=120):
    torch.manual_seed(0)
    net = nn.Linear(1, 1)
    loss_fn = nn.L1Loss()
    opt = torch.optim.Adam(net.parameters(), lr=0.1)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.97)
    for _ in range(epochs):
        for x, t in DataLoader(ds, batch_size=96, shuffle=True):
            loss = loss_fn(net(x), t)
            opt.zero_grad()
            loss.backward()
            opt.step()
        sched.step()
    return net


ds = Rents()
net = fit(ds)
with torch.no_grad():
    print("slope", net.weight.item(), "mean absolute error", (net(ds.area)[:, 0] - ds.rent).abs().mean().item())
