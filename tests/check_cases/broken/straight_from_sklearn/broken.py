import torch
import torch.nn as nn
from sklearn.datasets import make_regression
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

X, y = make_regression(n_samples=500, n_features=6, noise=5.0, random_state=0)
X = StandardScaler().fit_transform(X)
y = y.reshape(-1, 1) / 100
loader = DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), batch_size=50, shuffle=True)


class LR(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(6, 1)

    def forward(self, x):
        return self.l(x)


torch.manual_seed(0)
model = LR()
opt = torch.optim.SGD(model.parameters(), lr=0.02)
for epoch in range(40):
    for xb, yb in loader:
        loss = nn.functional.mse_loss(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
print("done", loss.item())
