import torch
import torch.nn.functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
X = torch.randn(600, 40)
beta = torch.zeros(40)
beta[[2, 7, 19]] = torch.tensor([1.5, -1.2, 0.9])
y = torch.bernoulli(torch.sigmoid(X @ beta - 0.3))

w = torch.zeros(40, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr, alpha = 0.5, 0.05

for it in range(1500):
    loss = F.binary_cross_entropy_with_logits(X @ w + b, y)
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        w.copy_(torch.sign(w) * torch.relu(w.abs() - lr * alpha))
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()

with torch.no_grad():
    objective = F.binary_cross_entropy_with_logits(X @ w + b, y) + alpha * w.norm(1)
print("objective", objective.item(), "nonzero", int(torch.count_nonzero(w)))
