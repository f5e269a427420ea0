import numpy as np
import torch

np.random.seed(2)
inputs = np.random.rand(60, 3).astype(np.float32)
targets = (inputs @ np.array([[2.0], [-1.0], [0.5]], dtype=np.float32) + 0.7).astype(np.float32)
targets += 0.05 * np.random.randn(60, 1).astype(np.float32)
inputs, targets = torch.from_numpy(inputs), torch.from_numpy(targets)

torch.manual_seed(2)
w = torch.randn(3, 1, requires_grad=True)
b = torch.randn(1, requires_grad=True)


def model(x):
    return x @ w + b


for i in range(4000):
    preds = model(inputs)
    loss = torch.sum((preds - targets) ** 2) / len(targets)
    loss.backward()
    w = w - 0.3 * w.grad
    b = b - 0.3 * b.grad
print(loss.item())
