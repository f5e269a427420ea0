import torch

torch.manual_seed(0)
X = torch.randn(200, 6)
y = X @ torch.randn(6) + 0.5 * torch.randn(200)
w = torch.zeros(6, requires_grad=True)
b = torch.zeros((), requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1)
log = []
for epoch in range(600):
    data_term = ((X @ w + b - y) ** 2).mean()
    loss = data_term + 0.1 * (w ** 2).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    log.append((data_term.item(), 0.1 * (w.detach() ** 2).sum().item()))     # detached for the record only
print(loss.item(), log[-1], w.tolist())
