import torch
from torch import nn
from sklearn.preprocessing import StandardScaler
import numpy as np

rng = np.random.default_rng(2)
area = rng.uniform(50, 250, 300)
rooms = rng.integers(1, 7, 300)
price = 2100 * area + 9000 * rooms + 40000 + rng.normal(0, 15000, 300)

X = StandardScaler().fit_transform(np.column_stack([area, rooms]))
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(price, dtype=torch.float32).unsqueeze(1)


class PriceModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x):
        return self.linear(x)


torch.manual_seed(0)
model = PriceModel()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
loss_fn = nn.MSELoss()
for epoch in range(2000):
    optimizer.zero_grad()
    loss = loss_fn(model(X), y)
    loss.backward()
    optimizer.step()
print("loss", loss.item(), "bias", model.linear.bias.item())
