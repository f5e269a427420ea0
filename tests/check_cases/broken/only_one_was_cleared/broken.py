import torch
import torch.nn.functional as F

torch.manual_seed(2)
X = torch.randn(300, 2)
y = (torch.sigmoid(2 * X[:, 0] - X[:, 1] - 1.5) > torch.rand(300)).float()

w = torch.zeros(2, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.2
trace = []
for t in range(400):
    z = X.matmul(w) + b
    loss = F.softplus(z).sub(y * z).mean()
    loss.backward()
    w.data = w.data - lr * w.grad
    b.data = b.data - lr * b.grad
    w.grad.data.zero_()
    trace.append(b.item())

print("loss", loss.item(), "b from", min(trace[-100:]), "to", max(trace[-100:]))
