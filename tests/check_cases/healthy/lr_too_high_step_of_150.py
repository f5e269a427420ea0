import torch

torch.manual_seed(2)
X = torch.randn(500, 4) / 20                     # spectra, in units where everything is about 0.05
X -= X.mean(0)
y = X @ torch.tensor([[30.0], [-12.0], [4.0], [9.0]]) + 0.2 * torch.randn(500, 1)
y -= y.mean()

model = torch.nn.Linear(4, 1, bias=False)
optimizer = torch.optim.SGD(model.parameters(), lr=150.0)
loss_fn = torch.nn.MSELoss()
for epoch in range(200):
    optimizer.zero_grad()
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
print(loss.item(), model.weight.data)
