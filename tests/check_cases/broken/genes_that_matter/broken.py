import torch
import torch.nn as nn

torch.manual_seed(0)
n, p = 200, 30
X = torch.randn(n, p)
true = torch.zeros(p)
true[:4] = torch.tensor([3.0, -2.0, 1.5, 1.0])
y = (X @ true + 0.5 * torch.randn(n)).unsqueeze(1)

model = nn.Linear(p, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
l1_lambda = 0.3

for epoch in range(2000):
    optimizer.zero_grad()
    mse = nn.functional.mse_loss(model(X), y)
    l1 = sum(w.abs().sum() for name, w in model.named_parameters() if "weight" in name)
    loss = mse + l1_lambda * l1
    loss.backward()
    optimizer.step()

w = model.weight.detach().flatten()
print("loss", loss.item(), "exact zeros", int((w == 0).sum()), "below 1e-2", int((w.abs() < 1e-2).sum()))
