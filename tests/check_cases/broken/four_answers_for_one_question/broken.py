import torch

torch.manual_seed(6)
data = torch.randn(150, 4)
label = (data.sum(dim=1, keepdim=True) * 0.5 - 1.0) + 0.05 * torch.randn(150, 1)

model = torch.nn.Linear(4, 4)
criterion = torch.nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)

for epoch in range(1000):
    y_pred = model(data)
    loss = criterion(y_pred, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

test = model(torch.tensor([[1.0, 1.0, 1.0, 1.0]]))
print(loss.item(), "prediction:", test.tolist())
