"""Penalties, predictions and promises."""

_RIDGE = """
import torch
torch.manual_seed(0)
X = torch.randn(60, 4)
y = X @ torch.tensor([2.0, -1.0, 0.5, 0.0]) + 3 + 0.5 * torch.randn(60)
w = torch.zeros(4, requires_grad=True)
b = torch.zeros((), requires_grad=True)
{optimizer}
for epoch in range(300):
    loss = ((X @ w + b - y) ** 2).mean() + {penalty}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item())
"""
_SGD = "optimizer = torch.optim.SGD([w, b], lr=0.1)"


def _ridge(penalty: str, optimizer: str = _SGD) -> str:
    return _RIDGE.format(penalty=penalty, optimizer=optimizer)


_MODULE = """
import torch
from torch import nn
torch.manual_seed(1)
X = torch.randn(80, 3)
y = torch.bernoulli(torch.sigmoid(X[:, :1] - X[:, 1:2]{level}))
model = nn.Linear(3, 1)
{optimizer}
for epoch in range(300):
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy_with_logits(model(X), y)
    loss.backward()
    optimizer.step()
{end}
"""


def _logistic(end: str, decay: str = "0.0", level: str = "") -> str:
    optimizer = f"optimizer = torch.optim.SGD(model.parameters(), lr=1.0, weight_decay={decay})"
    return _MODULE.format(optimizer=optimizer, end=end, level=level)


_GROUPS = """held = {"params": [model.weight], "weight_decay": 0.1}
optimizer = torch.optim.SGD([held, {"params": [model.bias]}], lr=1.0)"""

_LASSO = """
import torch
torch.manual_seed(2)
X = torch.randn(80, 6)
y = X[:, 0] * 2 - X[:, 1] + 0.3 * torch.randn(80)
w = torch.zeros(6, requires_grad=True)
lr = 0.1
for step in range(300):
    loss = ((X @ w - y) ** 2).mean(){inside}
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        {after}
        w.grad.zero_()
print(loss.item(), w)
"""

_CLASSES = """
import torch
from torch import nn
torch.manual_seed(3)
centres = torch.tensor([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])
y = torch.randint(0, 3, (90,))
X = centres[y] + torch.randn(90, 2)
model = nn.Linear(2, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, weight_decay=0.01)
for epoch in range(400):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy({scores}, y)
    loss.backward()
    optimizer.step()
{end}
"""

_MIXTURE = """
import torch
torch.manual_seed(4)
base = torch.randn(100, 1)
X = base + 0.5 * torch.randn(100, 3)
y = X @ torch.tensor([1.0, 0.5, -0.8]) + 0.1 * torch.randn(100)
w = torch.full((3,), 0.3, requires_grad=True)
optimizer = torch.optim.SGD([w], lr=0.1)
for epoch in range(400):
    loss = ((X @ w - y) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    {each}
{end}
"""

_RARE = """
import torch
from torch import nn
torch.manual_seed(5)
ill = torch.rand(300) < 0.15
X = torch.randn(300, 2) + 1.2 * ill[:, None]
y = ill.float()[:, None]
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
for epoch in range(400):
    loss = nn.functional.binary_cross_entropy_with_logits(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
{end}
"""

CASES: list[tuple[str, str, str, str]] = [
    ("penalty-detached", _ridge("0.5 * (w.detach() ** 2).sum()"), _ridge("0.5 * (w ** 2).sum()"), "gradient is zero"),
    ("penalty-detached", _ridge("0.5 * w.data.abs().sum()"), _ridge("0.1 * w[:2].abs().sum()"), "w.abs().sum()"),
    (
        "penalty-detached", _ridge("0.5 * sum(v * v for v in w.tolist())"), _ridge("0.01 * epoch"),
        "numbers that autograd does not follow",
    ),
    ("unsquared-norm-penalty", _ridge("0.5 * w.norm()"), _ridge("0.5 * w.norm() ** 2"), "0.5 * ||w||, not its square"),
    ("unsquared-norm-penalty", _ridge("torch.norm(w, p=2)"), _ridge("0.001 * torch.norm(w, p=2)"), "w.square().sum()"),
    (
        "unsquared-norm-penalty", _ridge("0.3 * torch.sqrt((w ** 2).sum())"), _ridge("0.3 * (w @ w)"),
        "the same however small",
    ),
    (
        "weight-decay-on-bias", _ridge("0", "optimizer = torch.optim.SGD([w, b], lr=0.1, weight_decay=0.5)"),
        _ridge("0", "optimizer = torch.optim.SGD([w, b], lr=0.1, weight_decay=0.001)"), "holds the bias at",
    ),
    (
        "weight-decay-on-bias", _ridge("0.2 * sum((q ** 2).sum() for q in (w, b))"), _ridge("0.2 * (w ** 2).sum()"),
        "w.square().sum()",
    ),
    (
        "weight-decay-on-bias", _logistic("print(loss.item())", "0.1", " - 3"),
        _MODULE.format(optimizer=_GROUPS, end="print(loss.item())", level=" - 3"), '"params": [model.bias]',
    ),
    (
        "l1-by-subgradient", _LASSO.format(inside=" + 0.3 * w.abs().sum()", after="pass"),
        _LASSO.format(inside="", after="w.copy_(w.sign() * (w.abs() - lr * 0.3).clamp(min=0))"), "exactly 0",
    ),
    (
        "l1-by-subgradient", _LASSO.format(inside=" + 0.5 * w.norm(1)", after="pass"),
        _LASSO.format(inside=" + 0.05 * w[:2].norm(1)", after="pass"), "learning rate * strength = 0.05",
    ),
    (
        "l1-by-subgradient", _ridge("0.4 * w.abs().sum()", "optimizer = torch.optim.Adam([w, b], lr=0.05)"),
        _ridge("0.4 * (w ** 2).sum()", "optimizer = torch.optim.Adam([w, b], lr=0.05)"), "Soft-thresholding",
    ),
    (
        "argmax-on-single-output", _logistic("print((model(X).argmax(dim=1) == y.squeeze(1)).float().mean())"),
        _logistic("print(((model(X).squeeze(1) > 0) == y.squeeze(1)).float().mean())"), "every row is called 0",
    ),
    (
        "argmax-on-single-output", _logistic("_, called = torch.max(torch.sigmoid(model(X)), 1)\nprint(called.sum())"),
        _logistic("most = torch.max(torch.sigmoid(model(X)), 1).values\nprint(most.mean())"), "every row is called 0",
    ),
    (
        "argmax-on-single-output", _logistic("print((model(X).detach().numpy().argmax(axis=1) == 0).mean())"),
        _logistic("print(model(X).detach().numpy().argmax())"), "every row is called 0",
    ),
    (
        "argmin-for-prediction",
        _CLASSES.format(scores="model(X)", end="print((model(X).argmin(1) == y).float().mean())"),
        _CLASSES.format(scores="-model(X)", end="print((model(X).argmin(1) == y).float().mean())"), "the largest in",
    ),
    (
        "argmin-for-prediction",
        _CLASSES.format(scores="model(X)", end="print(torch.min(model(X), 1)[1].numpy())"),
        _CLASSES.format(scores="model(X)", end="print(torch.max(model(X), 1)[1].numpy())"), "argmax(dim=1)",
    ),
    (
        "argmin-for-prediction",
        _CLASSES.format(scores="model(X)", end="print(model(X[:20] + 0.1).softmax(1).argmin(dim=1).tolist())"),
        _CLASSES.format(scores="model(X)", end="print(model(X).argmin(0))"), "least likely",
    ),
    (
        "constraint-not-imposed",
        _RARE.format(end="recall = (model(X)[ill] >= 0).float().mean().item()\nassert recall >= 0.9"),
        _RARE.format(end="recall = (model(X)[ill] >= 0).float().mean().item()\nassert recall >= 0.01"),
        "recall of at least 0.9 is promised",
    ),
    (
        "constraint-not-imposed",
        _RARE.format(end="# the recall must be at least 90 %\nprint(loss.item())"),
        _RARE.format(end="# the recall must be at least 90 %\ncut = torch.quantile(model(X)[ill], 0.1)\nprint(cut)"),
        "sl.recall() >= 0.9",
    ),
    (
        "constraint-not-imposed", _MIXTURE.format(each="", end="print(w.detach().clamp(min=0))"),
        _MIXTURE.format(each="w.data.clamp_(min=0)", end="print(w.detach().clamp(min=0))"), "cut to at least 0",
    ),
    (
        "constraint-not-imposed", _MIXTURE.format(each="", end="assert (w >= 0).all()"),
        _MIXTURE.format(each="w.data.clamp_(min=0)", end="assert (w >= 0).all()"), "nothing in the training imposes",
    ),
]  # fmt: skip
