import torch
from torch.utils.data import DataLoader, Dataset


class Points(Dataset):
    def __init__(self):
        g = torch.Generator().manual_seed(1)
        self.x = torch.rand(500, generator=g)
        self.y = 2 * self.x - 1 + 0.1 * torch.randn(500, generator=g)

    def __len__(self):
        return 500

    def __getitem__(self, i):
        return self.x[i], self.y[i]               # two scalars: batches of shape (B,)


torch.manual_seed(0)
slope = torch.zeros(1, requires_grad=True)        # (1,) against (B,): each row times the slope
offset = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([slope, offset], lr=0.2)
data = Points()
for epoch in range(150):
    for x, y in DataLoader(data, batch_size=250):
        loss = ((slope * x + offset - y) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
print(((slope * data.x + offset - data.y) ** 2).mean().item())
