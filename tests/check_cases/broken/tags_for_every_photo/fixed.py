import torch
import torch.nn.functional as F

torch.manual_seed(8)
torch.set_default_dtype(torch.float64)
X = torch.randn(400, 6)
tags = torch.bernoulli(torch.sigmoid(1.5 * X @ torch.randn(6, 4) - 0.5))

W = torch.zeros(6, 4, requires_grad=True)
b = torch.zeros(4, requires_grad=True)


def predict(X):
    return X @ W + b


for step in range(3000):
    loss = F.binary_cross_entropy_with_logits(predict(X), tags)
    gW, gb = torch.autograd.grad(loss, (W, b))
    W.data -= 1.0 * gW
    b.data -= 1.0 * gb
    if step % 1000 == 0:
        print(step, loss.item())

p = torch.sigmoid(predict(X).detach())
print("loss", loss.item(), "tags found", ((p > 0.5) * tags).sum().item() / tags.sum().item(), "predicted share", (p > 0.5).double().mean().item())
