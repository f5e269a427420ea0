import torch

torch.manual_seed(10)
X = torch.randn(256, 3, dtype=torch.float64)
y = X @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.1 * torch.randn(256, dtype=torch.float64)

w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.2)
for k in range(150):
    loss = (X @ w - y).square().mean()
    loss.backward()
    opt.step()
    opt.zero_grad()
    with torch.no_grad():
        check = (X @ w - y).square().mean()
print(check.item(), w.tolist(), w.grad)
