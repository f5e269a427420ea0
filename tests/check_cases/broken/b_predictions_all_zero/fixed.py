import torch
import torch.nn as nn

torch.manual_seed(2)
altitude = torch.rand(200, 2)
celsius = -6.0 * altitude[:, :1] + 2.0 * altitude[:, 1:] - 3.0 + 0.3 * torch.randn(200, 1)

model = nn.Sequential(nn.Linear(2, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(2000):
    optimizer.zero_grad()
    output = model(altitude)
    loss = criterion(output, celsius)
    loss.backward()
    optimizer.step()
print("loss", loss.item(), "largest prediction", output.max().item(), "gradient", model[0].weight.grad.abs().max().item())
