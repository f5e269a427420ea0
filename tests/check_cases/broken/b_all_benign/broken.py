import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.manual_seed(4)
bc = load_breast_cancer()
X = torch.tensor(bc.data[:, [1, 4, 8, 27]])
X = (X - X.mean(0)) / X.std(0)
malignant = torch.tensor(1.0 - bc.target).reshape(-1, 1)


class LogReg(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(4, 1, dtype=torch.float64))
        self.b = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return x @ self.w + self.b


def evaluate(model):
    with torch.no_grad():
        predictions = torch.argmax(torch.sigmoid(model(X)), dim=1, keepdim=True)
        return (predictions == malignant).double().mean().item(), int(predictions.sum())


model = LogReg()
opt = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(2000):
    opt.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(X), malignant)
    loss.backward()
    opt.step()
accuracy, called = evaluate(model)
print("loss", loss.item(), "accuracy", accuracy, "called malignant", called)
