import torch
from torch.utils.data import DataLoader, TensorDataset

# sorted rows and shuffle=False, but the one batch holds all rows
torch.manual_seed(0)
x = torch.randn(200, 2)
x = x[x[:, 0].argsort()]
y = torch.cat([x[:100, 0] * 2, -x[100:, 0]]) + 0.2 * torch.randn(200)
loader = DataLoader(TensorDataset(x, y), batch_size=200, shuffle=False)
model = torch.nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.2)
for epoch in range(200):
    for xb, yb in loader:
        loss = torch.nn.functional.mse_loss(model(xb).squeeze(1), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
print(loss.item(), model.weight.tolist(), model.bias.item())
