import torch

# large values in float32, but the noise is far above their rounding
torch.manual_seed(0)
x = torch.rand(300, 1) * 2 - 1
y = 20000.0 + 500.0 * x + 40.0 * torch.randn(300, 1)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
for epoch in range(500):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
print(loss.item(), model.weight.item(), model.bias.item())
