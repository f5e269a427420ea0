import torch
import torch.nn.functional as F

torch.manual_seed(5)
X = torch.randn(300, 4, dtype=torch.float64)
y = (X[:, 0] - X[:, 1] + torch.randn(300, dtype=torch.float64) > 0).double()

linear = torch.nn.Linear(4, 1, dtype=torch.float64)
optimizer = torch.optim.SGD(linear.parameters(), lr=1.0)
for step in range(800):
    log_p = F.logsigmoid(linear(X)).squeeze(1)
    loss = F.binary_cross_entropy(log_p.exp(), y)      # back to a probability before the loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), ((log_p.exp() > 0.5).double() == y).double().mean().item())
