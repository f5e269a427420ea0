import torch

# nan marks a missing target; those rows are left out of the loss
torch.manual_seed(0)
X = torch.randn(300, 3)
y = X @ torch.tensor([1.0, 2.0, -1.0]) + 0.5 + 0.1 * torch.randn(300)
y[torch.rand(300) < 0.1] = float("nan")
known = ~torch.isnan(y)
w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1)
for epoch in range(400):
    residual = (X @ w + b)[known] - y[known]
    loss = residual.pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item(), w.tolist(), b.item())
