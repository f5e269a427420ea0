import torch

torch.manual_seed(3)
n, d = 400, 40
X = torch.randn(n, d)
y = X @ torch.randn(d) + 0.5 + 0.1 * torch.randn(n)

model = torch.nn.Linear(d, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.04)

for epoch in range(5):
    for i in torch.randperm(n):
        out = model(X[i])
        loss = (out - y[i]).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch, ((model(X).squeeze(1) - y) ** 2).mean().item())
