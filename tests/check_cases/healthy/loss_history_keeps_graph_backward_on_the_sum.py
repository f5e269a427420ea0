import torch

# the batch losses are summed with their graph on purpose: one backward for the epoch, then a new sum
torch.manual_seed(0)
X = torch.randn(400, 3)
y = X @ torch.tensor([[1.0], [-1.0], [2.0]]) + 0.2 * torch.randn(400, 1)
model = torch.nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
record = []
for epoch in range(300):
    total = 0.0
    for xb, yb in zip(X.split(100), y.split(100)):
        total = total + torch.nn.functional.mse_loss(model(xb), yb) / 4
    opt.zero_grad()
    total.backward()
    opt.step()
    record.append(total.detach())
print(record[-1].item(), model.weight.tolist())
