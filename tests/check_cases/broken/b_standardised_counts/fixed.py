import numpy as np
import torch

np.random.seed(3)
torch.manual_seed(3)
hours = np.random.uniform(-1, 1, size=(400, 2))
visits = np.random.poisson(np.exp(1.5 + 0.7 * hours[:, 0] - 0.4 * hours[:, 1]))
x = torch.tensor(hours, dtype=torch.float32)
y = torch.tensor(visits, dtype=torch.float32)

w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.05)
loss_fn = torch.nn.PoissonNLLLoss()
for i in range(8000):
    opt.zero_grad()
    loss = loss_fn(x @ w + b, y)
    loss.backward()
    opt.step()
    if i % 2000 == 0:
        print(i, round(loss.item(), 4))
print("loss", loss.item(), "w", w.tolist(), "b", b.item())
