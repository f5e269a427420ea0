import torch
from torch import nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(0)
bc = load_breast_cancer()
X = torch.tensor(bc.data[:, [0, 1, 4, 8]], dtype=torch.float32)
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(bc.target, dtype=torch.float32)


class LinearSVM(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.fc = nn.Linear(n_features, 1)

    def forward(self, x):
        return self.fc(x).squeeze(-1)


svm = LinearSVM(4)
optimizer = torch.optim.SGD(svm.parameters(), lr=0.2)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 / (1 + 0.02 * k))
c = 0.05

for epoch in range(4000):
    optimizer.zero_grad()
    margin = y * svm(X)
    loss = torch.mean(torch.clamp(1 - margin, min=0)) + c * (svm.fc.weight ** 2).sum()
    loss.backward()
    optimizer.step()
    scheduler.step()

accuracy = ((svm(X) > 0) == (y > 0)).float().mean().item()
print("loss", loss.item(), "accuracy", accuracy)
