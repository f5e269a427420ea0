import torch
from torch import nn
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(scale(X[:, [2, 3, 9]]), scale(y), test_size=0.3, random_state=0)
to = lambda a: torch.tensor(a, dtype=torch.float32)
X_train, X_test, y_train, y_test = map(to, (X_train, X_test, y_train, y_test))

torch.manual_seed(0)
model = nn.Linear(3, 1)
for epoch in range(300):
    loss = nn.functional.mse_loss(model(X_train).view(-1), y_train)
    model.zero_grad()
    loss.backward()
    for param in model.parameters():
        param -= 0.1 * param.grad
print("train", loss.item(), "test", nn.functional.mse_loss(model(X_test).view(-1), y_test).item())
