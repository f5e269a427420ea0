import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(15)
X = torch.randn(500, 3)
calls = torch.poisson(torch.exp(X @ torch.tensor([0.5, 0.3, -0.2]) + 1.0))
loader = DataLoader(TensorDataset(X, calls), batch_size=50, shuffle=True)

w = torch.normal(0, 0.01, (3,), requires_grad=True)
b = torch.ones(1, requires_grad=True)
optimizer = torch.optim.Adam([w, b], lr=0.03)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.93)

for epoch in range(60):
    for xb, yb in loader:
        out = xb @ w + b
        loss = F.poisson_nll_loss(out, yb, log_input=False)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 20 == 0:
        print(epoch, loss.item())
print("loss", loss.item(), "w", w.tolist(), "b", b.item())
