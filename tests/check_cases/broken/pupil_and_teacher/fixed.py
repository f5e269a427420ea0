import torch
import torch.nn as nn

torch.manual_seed(3)
teacher = nn.Linear(6, 1)
student = nn.Linear(6, 1)

inputs = torch.randn(256, 6)
with torch.no_grad():
    targets = teacher(inputs) + 0.05 * torch.randn(256, 1)

criterion = nn.MSELoss()
optimizer = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)

for epoch in range(200):
    optimizer.zero_grad()
    loss = criterion(student(inputs), targets)
    loss.backward()
    optimizer.step()

print("final loss", loss.item())
