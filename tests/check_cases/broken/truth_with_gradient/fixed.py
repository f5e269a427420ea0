import torch

torch.manual_seed(0)
num_samples, num_features = 4000, 2
X = torch.randn((num_samples, num_features), dtype=torch.float32)
true_W = torch.randn((num_features, 1), requires_grad=True, dtype=torch.float32)
true_b = torch.randn(1, requires_grad=True, dtype=torch.float32)
Y = torch.mm(X, true_W) + true_b
Y = (Y + 0.01 * torch.randn(Y.shape)).detach()

W = torch.normal(0, 0.01, size=(num_features, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr, batch_size = 0.05, 100

for epoch in range(5):
    for i in range(0, num_samples, batch_size):
        x, y = X[i:i + batch_size], Y[i:i + batch_size]
        l = ((torch.mm(x, W) + b - y) ** 2).mean()
        l.backward()
        with torch.no_grad():
            for p in [W, b]:
                p -= lr * p.grad
                p.grad.zero_()
print(l.item(), (W - true_W).abs().max().item())
