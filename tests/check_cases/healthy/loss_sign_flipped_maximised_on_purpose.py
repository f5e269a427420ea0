import torch

# the log-likelihood is maximised, and the optimizer is told so
torch.manual_seed(3)
x = torch.randn(300, 3)
y = torch.bernoulli(torch.sigmoid(x @ torch.tensor([1.0, -1.0, 0.5]) + 0.3))
w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.5, maximize=True)
for epoch in range(800):
    z = x @ w + b
    log_likelihood = (y * z - torch.nn.functional.softplus(z)).mean()
    opt.zero_grad()
    log_likelihood.backward()
    opt.step()
print(log_likelihood.item(), w.tolist(), b.item())
