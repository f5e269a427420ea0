import torch

torch.manual_seed(0)
X = torch.randn(500, 3)
y = X @ torch.tensor([2.0, -3.0, 1.0]) + 0.5 + 0.2 * torch.randn(500)
w = torch.tensor([1.0, -1.0, 1.0], requires_grad=True)           # all three matter: none ends near zero
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1)
for _ in range(400):
    loss = ((X @ w + b - y) ** 2).mean() + 0.02 * w.abs().sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), w.tolist())
