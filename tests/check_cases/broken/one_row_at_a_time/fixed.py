import torch

torch.manual_seed(3)
n, d = 400, 40
X = torch.randn(n, d)
y = X @ torch.randn(d) + 0.5 + 0.1 * torch.randn(n)

model = torch.nn.Linear(d, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.04)

for epoch in range(1000):
    for i in torch.randperm(n).split(n):
        out = model(X[i]).squeeze(1)
        loss = (out - y[i]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 100 == 99:
        print(epoch, ((model(X).squeeze(1) - y) ** 2).mean().item())
