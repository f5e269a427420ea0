import torch

torch.manual_seed(3)
X = torch.randn(250, 3, dtype=torch.float64)
y = X @ torch.tensor([2.0, 0.0, -1.0], dtype=torch.float64) + 4 + 0.2 * torch.randn(250, dtype=torch.float64)
w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
for_w = torch.optim.SGD([w], lr=0.2)
for_b = torch.optim.SGD([b], lr=0.4)
for k in range(300):
    active = for_w if k % 2 == 0 else for_b       # the other one rests in this step
    loss = ((X @ w + b - y) ** 2).mean()
    for_w.zero_grad()
    for_b.zero_grad()
    loss.backward()
    active.step()
print(((X @ w + b - y) ** 2).mean().item())
