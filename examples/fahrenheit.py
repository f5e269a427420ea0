"""A line from degrees Celsius to Fahrenheit, trained as it is often seen: the loss falls, and the answer is wrong."""

import torch

torch.manual_seed(0)
celsius = torch.empty(200, 1).uniform_(-50, 150)
fahrenheit = 1.8 * celsius + 32 + 0.5 * torch.randn(200, 1)

model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

for _ in range(2000):
    loss = torch.nn.functional.mse_loss(model(celsius), fahrenheit)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(f"loss {loss.item():.3f}: F = {model.weight.item():.3f} C + {model.bias.item():.2f}")
