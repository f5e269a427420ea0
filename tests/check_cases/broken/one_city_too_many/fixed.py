import torch
import torch.nn as nn
import torch.nn.functional as F

g = torch.Generator().manual_seed(4)
city = torch.randint(0, 3, (300,), generator=g)
size = torch.randn(300, generator=g)
price = torch.tensor([10.0, 12.0, 15.0])[city] + 2.0 * size + 0.3 * torch.randn(300, generator=g)

X = torch.cat([F.one_hot(city, 3)[:, 1:].float(), size[:, None]], dim=1)
y = price[:, None]


def fit(seed):
    torch.manual_seed(seed)
    model = nn.Linear(3, 1)
    nn.init.normal_(model.weight, std=3.0)
    nn.init.normal_(model.bias, std=3.0)
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(1500):
        opt.zero_grad()
        loss = F.mse_loss(model(X), y)
        loss.backward()
        opt.step()
    return model, loss.item()


a, la = fit(0)
b, lb = fit(1)
print("run 1", a.weight.data, a.bias.data, la)
print("run 2", b.weight.data, b.bias.data, lb)
