import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X[:, [2, 3, 6, 8]] / X[:, [2, 3, 6, 8]].std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32).unsqueeze(1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        # input size not known in advance
        self.fc = nn.Linear(x.shape[1], 1)
        return self.fc(x)


torch.manual_seed(0)
model = Model()
model(X[:1])        # otherwise the optimizer complains about an empty list
opt = optim.SGD(model.parameters(), lr=0.1)

for epoch in range(400):
    opt.zero_grad()
    loss = nn.functional.mse_loss(model(X), y)
    loss.backward()
    opt.step()
print("loss", loss.item(), model.fc.weight.data)
