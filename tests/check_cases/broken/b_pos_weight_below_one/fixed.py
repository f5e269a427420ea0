import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def dataset(n=3000):
    torch.manual_seed(77)
    sick = torch.rand(n) < 0.08
    tests = torch.randn(n, 3) + sick[:, None] * torch.tensor([1.2, 0.7, 0.0])
    return tests, sick.float()


def train(tests, sick):
    n_pos, n_neg = sick.sum(), (1 - sick).sum()
    model = nn.Linear(3, 1)
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=n_neg / n_pos)
    opt = torch.optim.Adam(model.parameters(), lr=0.03)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)
    for _ in range(60):
        for xb, yb in DataLoader(TensorDataset(tests, sick), batch_size=250, shuffle=True):
            opt.zero_grad()
            loss_fn(model(xb).squeeze(1), yb).backward()
            opt.step()
        sched.step()
    return model, (n_pos / n_neg).item()


tests, sick = dataset()
model, ratio = train(tests, sick)
found = ((model(tests).squeeze(1) > 0) & (sick == 1)).sum().item() / sick.sum().item()
print("pos_weight", ratio, "share of the sick found", found)
