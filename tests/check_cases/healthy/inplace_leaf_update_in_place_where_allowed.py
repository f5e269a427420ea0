import torch

torch.manual_seed(9)
X = torch.randn(300, 3)
y = X @ torch.tensor([[1.0], [0.0], [-1.0]]) + 5 + 0.3 * torch.randn(300, 1)
W = torch.zeros(3, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for k in range(300):
    out = X.mm(W).add_(b)                         # in place on a result, not on a leaf
    out -= y
    loss = out.square().mean()
    loss.backward()
    W.data.sub_(0.1 * W.grad)
    b.data.sub_(0.1 * b.grad)
    W.grad.zero_()
    b.grad.zero_()
print(loss.item())
