import torch


class Descent:
    """steps without an optimizer object: the update is hidden in here"""

    def __init__(self, *tensors, rate):
        self.tensors, self.rate = tensors, rate

    def __call__(self, loss):
        grads = torch.autograd.grad(loss, self.tensors)
        for t, g in zip(self.tensors, grads):
            t.data = t.data - self.rate * g


torch.manual_seed(6)
X = torch.randn(150, 2)
y = 0.7 * X[:, 0] - 0.1 * X[:, 1] + 2 + 0.3 * torch.randn(150)
slope = torch.zeros(2, requires_grad=True)
offset = torch.zeros(1, requires_grad=True)
descend = Descent(slope, offset, rate=0.2)
for _ in range(120):
    descend(torch.mean((X @ slope + offset - y) ** 2))
print(torch.mean((X @ slope + offset - y) ** 2).item())
