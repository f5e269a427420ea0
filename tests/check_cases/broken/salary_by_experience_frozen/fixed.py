import torch
import torch.nn as nn

torch.manual_seed(4)
experience = torch.tensor([[1.1], [1.3], [2.0], [2.9], [3.2], [4.0], [4.5], [5.1], [6.0], [6.8], [7.9], [9.0], [10.3]])
salary = torch.tensor([[39.3], [46.2], [43.5], [56.6], [64.4], [55.8], [61.1], [66.0], [93.9], [91.7], [101.3], [105.6], [122.4]])
salary = (salary - salary.mean()) / salary.std()
experience = (experience - experience.mean()) / experience.std()

model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for epoch in range(300):
    optimizer.zero_grad()
    pred = model(experience)
    loss = criterion(pred, salary)
    loss.backward()
    optimizer.step()
    if epoch % 100 == 0:
        print(f"epoch {epoch}: loss {loss.item():.4f}")

print(loss.item(), model.weight.item())
