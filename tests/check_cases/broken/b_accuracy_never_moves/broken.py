import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
X = torch.randn(1000, 5)
y = torch.bernoulli(torch.sigmoid(3 * X[:, 0] + X[:, 1] - X[:, 2]))
loader = DataLoader(TensorDataset(X, y), batch_size=100, shuffle=True)

model = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.94)

for epoch in range(60):
    correct, total, running = 0, 0, 0.0
    for inputs, labels in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs.squeeze(1), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
        predicted = torch.max(outputs, 1)[1]
        correct += (predicted == labels).sum().item()
        total += len(labels)
    scheduler.step()
    accuracy = correct / total
    if epoch % 10 == 0:
        print(epoch, running / len(loader), accuracy)
print("accuracy", accuracy)
