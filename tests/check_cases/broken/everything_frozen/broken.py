import torch
from torch import nn, optim
from sklearn.datasets import load_breast_cancer

X, y = load_breast_cancer(return_X_y=True)
X = torch.tensor((X - X.mean(0)) / X.std(0), dtype=torch.float32)[:, :4]
y = torch.tensor(y, dtype=torch.float32)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)

    def forward(self, x):
        return self.fc(x).squeeze(1)


def build(freeze=True):
    torch.manual_seed(0)
    model = Head()
    for p in model.parameters():
        p.requires_grad = not freeze
    return model


def fit(model):
    opt = optim.LBFGS(filter(lambda p: p.requires_grad, model.parameters()), max_iter=100, line_search_fn="strong_wolfe")
    loss_fn = nn.BCEWithLogitsLoss()

    def closure():
        opt.zero_grad()
        loss = loss_fn(model(X), y)
        loss.backward()
        return loss
    for _ in range(20):
        loss = opt.step(closure)
    return loss.item()


if __name__ == "__main__":
    model = build()
    final = fit(model)
    print(final)
