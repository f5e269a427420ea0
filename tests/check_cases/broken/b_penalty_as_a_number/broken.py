import torch
import torch.nn.functional as F

torch.manual_seed(12)
n, d = 150, 30
X = torch.randn(n, d, dtype=torch.float64)
y = torch.bernoulli(torch.sigmoid(2 * X[:, 0] - 2 * X[:, 1]))
X_val = torch.randn(2000, d, dtype=torch.float64)
y_val = torch.bernoulli(torch.sigmoid(2 * X_val[:, 0] - 2 * X_val[:, 1]))


class Logistic(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(d, dtype=torch.float64))
        self.b = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        return x @ self.w + self.b


def l2_penalty(model):
    return sum(v ** 2 for v in model.w.tolist())


def train(lam):
    model = Logistic()
    opt = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(1500):
        loss = F.binary_cross_entropy_with_logits(model(X), y) + lam * l2_penalty(model)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return model, loss.item()


model, loss = train(lam=0.05)
val = F.binary_cross_entropy_with_logits(model(X_val), y_val).item()
print("loss", loss, "|w|", model.w.norm().item(), "validation", val)
