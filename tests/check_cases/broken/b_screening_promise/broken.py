import torch
import torch.nn as nn

torch.manual_seed(0)
n = 1500
ill = torch.rand(n) < 0.15
values = torch.randn(n, 3) + ill[:, None] * torch.tensor([1.0, 1.0, 0.0])
label = ill.float().unsqueeze(1)
REQUIRED_RECALL = 0.9

model = nn.Linear(3, 1)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(1500):
    optimizer.zero_grad()
    loss = criterion(model(values), label)
    loss.backward()
    optimizer.step()

with torch.no_grad():
    score = model(values).squeeze(1)
threshold = 0.0
recall = (score[ill] >= threshold).float().mean().item()
alarms = (score[~ill] >= threshold).float().mean().item()
print("loss", loss.item(), "recall", recall, "false alarms", alarms)
assert recall >= REQUIRED_RECALL, "the screening must find nine of ten"
