import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold
from torch import nn

X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X[:, [2, 3, 8]] / X[:, [2, 3, 8]].std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32).unsqueeze(1)


def fit(X, y):
    model = nn.Linear(3, 1)
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(300):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(X), y)
        loss.backward()
        opt.step()
    return model


torch.manual_seed(0)
scores = []
for train, test in KFold(5, shuffle=True, random_state=0).split(X):
    model = fit(X[train], y[train])               # a new model and a new optimizer for each fold
    model.eval()
    with torch.no_grad():
        scores.append(nn.functional.mse_loss(model(X[test]), y[test]).item())
print("cross-validated mse", sum(scores) / 5)
final = fit(X, y)
print(nn.functional.mse_loss(final(X), y).item())
