import torch

torch.manual_seed(0)
X = torch.rand(100, 1) * 2
y = 4 + 3 * X + 0.5 * torch.randn(100, 1)
X_b = torch.cat([torch.ones(100, 1), X], dim=1)

theta = torch.randn(2, 1, requires_grad=True)
eta = 0.1
for iteration in range(2000):
    loss = ((X_b.mm(theta) - y) ** 2).mean()
    loss.backward()
    theta -= eta * theta.grad
    theta.grad.zero_()
print(theta.flatten().tolist(), loss.item())
