import torch

torch.manual_seed(13)
X = torch.randn(800, 3)
X = X - X.mean(0)
y = X @ torch.tensor([0.5, -0.3, 0.2]) + torch.randn(800)       # mostly noise: R2 is low and cannot be higher
y = y - y.mean()
model = torch.nn.Linear(3, 1, bias=False)
opt = torch.optim.SGD(model.parameters(), lr=0.2)
for _ in range(200):
    opt.zero_grad()
    loss = ((model(X).squeeze(1) - y) ** 2).mean()
    loss.backward()
    opt.step()
print(loss.item(), "R2", 1 - loss.item() / y.var(unbiased=False).item())
