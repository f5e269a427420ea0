import torch

torch.manual_seed(3)
x = torch.rand(400, 1) * 2 - 1
y = (1 + 2 * x + (0.3 + 0.2 * x) * torch.randn(400, 1)).squeeze(1)
w = torch.zeros(1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
tau = 0.9
opt = torch.optim.SGD([w, b], lr=1.0)
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda k: 1 / (1 + 0.05 * k))
for step in range(4000):
    r = y - (x @ w + b)
    loss = torch.maximum(tau * r, (tau - 1) * r).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
print(loss.item(), w.item(), b.item(), (r < 0).float().mean().item())
