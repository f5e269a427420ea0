import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.randn(64, 1)
y = 2 * x + 1 + 0.1 * torch.randn(64, 1)


class LinearRegression(nn.Module):
    def __int__(self):
        super(LinearRegression, self).__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x):
        return self.linear(x)


model = LinearRegression()
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(200):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
