"""Gradients, updates and parameters, and scripts that end in an error."""

from __future__ import annotations

HEAD = """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
X = torch.randn(60, 2)
t = X @ torch.tensor([2.0, -1.0]) + 3 + 0.3 * torch.randn(60)
y = t.unsqueeze(1)
kinds = torch.distributions.Categorical(logits=X @ torch.randn(2, 3)).sample()
"""
LOOP = """
for step in range(150):
    optimizer.zero_grad()
    loss = F.mse_loss(model(X), y)
    loss.backward()
    optimizer.step()
"""
SGD = "\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)"
LINEAR = "\nmodel = nn.Linear(2, 1)" + SGD
BY_MODULE = HEAD + LINEAR + LOOP
TENSORS = "\nw = torch.zeros(2, 1, requires_grad=True)\nb = torch.zeros(1, requires_grad=True)"
UPDATE = """
    with torch.no_grad():
        w -= 0.1 * w.grad
        b -= 0.1 * b.grad
"""
PASS = "\nfor step in range(150):\n    loss = ((X @ w + b - y) ** 2).mean()\n    loss.backward()"
CLEAR = "\n    w.grad = None\n    b.grad = None\n"
BY_HAND = HEAD + TENSORS + PASS + UPDATE + CLEAR
OPEN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
"""
CLOSE = """
    def forward(self, x):
        return self.layer(x)
model = Net()
"""
NET = HEAD + OPEN + "        self.layer = nn.Linear(2, 1)\n" + CLOSE + SGD
CLASSES = """
model = nn.Linear(2, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(150):
    optimizer.zero_grad()
    loss = {loss}
    loss.backward()
    optimizer.step()
"""
HEALTHY_CLASSES = HEAD + CLASSES.format(loss="F.cross_entropy(model(X), kinds)")
KEPT = """
def run():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = {}
    for step in range(150):
        kept[step] = F.mse_loss(model(X), y)
        optimizer.zero_grad()
        kept[step].backward()
        optimizer.step()
run()
"""
HELPER = """
def update(params, lr, n):
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad / n
            p.grad = None
"""


def swap(text: str, old: str, new: str) -> str:
    """A script with one piece of it replaced; the piece must be there."""
    assert old in text, old
    return text.replace(old, new)


def classes(loss: str) -> str:
    """A classifier with another loss."""
    return HEAD + CLASSES.format(loss=loss)


CASES: list[tuple[str, str, str, str]] = [
    # ------------------------------------------------------------------------------------------ nothing to train
    (
        "empty-parameter-list",
        HEAD + "\nmodel = nn.Linear(2, 1)\nparams = model.parameters()\nprint(sum(p.numel() for p in params))"
        "\noptimizer = torch.optim.SGD(params, lr=0.1)" + LOOP,
        HEAD + "\nmodel = nn.Linear(2, 1)\nparams = list(model.parameters())\nprint(sum(p.numel() for p in params))"
        "\noptimizer = torch.optim.SGD(params, lr=0.1)" + LOOP,
        "the generator was used up",
    ),
    (
        "empty-parameter-list",
        HEAD + "\nlayers = []\nmodel = nn.Sequential(*layers)\nlayers.append(nn.Linear(2, 1))" + SGD + LOOP,
        HEAD + "\nlayers = []\nlayers.append(nn.Linear(2, 1))\nmodel = nn.Sequential(*layers)" + SGD + LOOP,
        "empty Sequential",
    ),
    (
        "empty-parameter-list",
        HEAD + "\nmodel = nn.Linear(2, 1).requires_grad_(False)"
        "\noptimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)" + LOOP,
        HEAD + "\nmodel = nn.Linear(2, 1)"
        "\noptimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)" + LOOP,
        "0 of the 2 parameters",
    ),
    (
        "empty-parameter-list",
        HEAD + "\nmodel = nn.Linear(2, 1)\noptimizer = torch.optim.SGD([{'params': []}], lr=0.1)" + LOOP,
        HEAD + "\nmodel = nn.Linear(2, 1)"
        "\noptimizer = torch.optim.SGD([{'params': []}, {'params': model.parameters()}], lr=0.1)" + LOOP,
        "holds no parameters",
    ),
    (
        "misspelt-constructor",
        swap(NET, "__init__(self)", "__int__(self)") + LOOP,
        NET + LOOP,
        "__int__ and no __init__",
    ),
    (
        "misspelt-constructor",
        swap(NET, "super().__init__", "super().__int__") + LOOP,
        NET + LOOP,
        "__int__ of its parent",
    ),
    (
        "misspelt-constructor",
        swap(NET, "        super().__init__()\n", "") + LOOP,
        swap(NET, "        self.layer = nn.Linear(2, 1)\n", "        self._init()\n    def _init(self):\n"
             "        self.layer = nn.Linear(2, 1)\n") + LOOP,
        "super().__init__() is missing",
    ),
    (
        "misspelt-constructor",
        swap(swap(NET, "__init__(self)", "_init_(self, n)"), "Net()", "Net(2)") + LOOP,
        swap(swap(NET, "__init__(self)", "__init__(self, n)"), "Net()", "Net(2)") + LOOP,
        "_init_ and no __init__",
    ),
    (
        "layer-created-in-forward",
        swap(swap(NET, "        self.layer = nn.Linear(2, 1)\n", "        self.b = nn.Parameter(torch.zeros(1))\n"),
             "self.layer(x)", "nn.Linear(2, 1)(x) + self.b") + LOOP,
        swap(NET, "self.layer(x)", "nn.Identity()(self.layer(nn.Flatten()(x)))") + LOOP,
        "makes weights anew in each pass",
    ),
    (
        "layer-created-in-forward",
        swap(swap(NET, "        self.layer = nn.Linear(2, 1)\n", ""), "self.layer(x)", "nn.Linear(2, 1)(x)") + LOOP,
        NET + LOOP,
        "makes a layer in forward",
    ),
    (
        "layer-created-in-forward",
        swap(swap(NET, "        self.layer = nn.Linear(2, 1)\n", "        self.b = nn.Parameter(torch.zeros(1))\n"),
             "self.layer(x)", "x @ nn.Parameter(torch.randn(2, 1)) + self.b") + LOOP,
        swap(NET, "self.layer(x)", "self.layer(x) + torch.zeros(1)") + LOOP,
        "each used once",
    ),
    # ---------------------------------------------------------------------------------- who holds the parameters
    (
        "unregistered-parameters",
        swap(swap(NET, "nn.Linear(2, 1)\n", "nn.Linear(2, 1, bias=False)\n"
                  "        self.b = torch.zeros(1, requires_grad=True)\n"),
             "self.layer(x)", "self.layer(x) + self.b") + LOOP,
        swap(swap(NET, "nn.Linear(2, 1)\n", "nn.Linear(2, 1)\n        self.b = torch.zeros(1)\n"),
             "self.layer(x)", "self.layer(x) + self.b") + LOOP,
        "self.b = nn.Parameter(torch.zeros(1, requires_grad=True))",
    ),
    (
        "unregistered-parameters",
        swap(swap(NET, "nn.Linear(2, 1)\n", "nn.Linear(1, 1)\n        self.more = [nn.Linear(1, 1)]\n"),
             "self.layer(x)", "self.layer(x[:, :1]) + self.more[0](x[:, 1:])") + LOOP,
        swap(swap(NET, "nn.Linear(2, 1)\n", "nn.Linear(1, 1)\n"
                  "        self.more = nn.ModuleList([nn.Linear(1, 1, bias=False)])\n"),
             "self.layer(x)", "self.layer(x[:, :1]) + self.more[0](x[:, 1:])") + LOOP,
        "nn.ModuleList",
    ),
    (
        "unregistered-parameters",
        HEAD + TENSORS + "\noptimizer = torch.optim.SGD([w], lr=0.1)" + PASS + "\n    optimizer.step()" + CLEAR,
        HEAD + TENSORS + "\noptimizer = torch.optim.SGD([w, b], lr=0.1)" + PASS + "\n    optimizer.step()" + CLEAR,
        "1 of 3 numbers never change",
    ),
    (
        "optimizer-on-other-parameters",
        HEAD + LINEAR + "\nmodel = nn.Linear(2, 1)" + LOOP,
        HEAD + "\nmodel = nn.Linear(2, 1)" + LINEAR + LOOP,
        "0 of the 2 tensors",
    ),
    (
        "optimizer-on-other-parameters",
        NET + "\nmodel.layer = nn.Linear(2, 1)" + LOOP,
        NET + "\nmodel.layer.reset_parameters()" + LOOP,
        "not among them and never changed",
    ),
    (
        "optimizer-on-other-parameters",
        BY_MODULE + "\nimport copy\nmodel = nn.Linear(2, 1)\nfor step in range(20):\n    optimizer.zero_grad()"
        "\n    F.mse_loss(model(X), y).backward()\n    optimizer.step()",
        BY_MODULE + LINEAR + LOOP,
        "SGD steps take part in the loss",
    ),
    # -------------------------------------------------------------------------------------- gradients and updates
    (
        "missing-zero-grad",
        swap(BY_MODULE, "    optimizer.zero_grad()\n", ""),
        swap(swap(BY_MODULE, "    optimizer.zero_grad()\n", ""), "    optimizer.step()\n",
             "    if step % 3 == 2:\n        optimizer.step()\n        optimizer.zero_grad()\n").replace("150", "600"),
        "never cleared",
    ),
    ("missing-zero-grad", swap(BY_HAND, CLEAR, ""), BY_HAND, "times a pass's own"),
    ("missing-zero-grad", swap(BY_HAND, "\n    b.grad = None\n", "\n"), BY_HAND, "gradients of b"),
    (
        "zero-grad-before-step",
        swap(swap(BY_MODULE, "    optimizer.zero_grad()\n", ""), "    loss.backward()\n",
             "    loss.backward()\n    optimizer.zero_grad()\n"),
        swap(swap(BY_MODULE, "    optimizer.zero_grad()\n", ""), "    optimizer.step()\n",
             "    optimizer.step()\n    optimizer.zero_grad()\n"),
        "falls from",
    ),
    (
        "zero-grad-before-step",
        swap(BY_HAND, PASS, PASS + "\n    w.grad.zero_()\n    b.grad.zero_()"),
        swap(BY_HAND, CLEAR, "\n    w.grad.zero_()\n    b.grad.zero_()\n"),
        "b",
    ),
    (
        "zero-grad-before-step",
        swap(BY_MODULE, "    loss.backward()\n", "    loss.backward()\n    model.zero_grad()\n"),
        swap(BY_MODULE, "    loss.backward()\n", "    model.zero_grad()\n    loss.backward()\n"),
        "weights never change",
    ),
    ("missing-step", swap(BY_MODULE, "optimizer.step()", "optimizer.step"), BY_MODULE, "named and not called"),
    ("missing-step", swap(BY_MODULE, "    optimizer.step()\n", ""), BY_MODULE, "bit for bit"),
    (
        "missing-step",
        HEAD + TENSORS + "\nparams = [w, b]" + PASS + "\n    for p in params:\n        p = p - 0.1 * p.grad" + CLEAR,
        HEAD + TENSORS + "\nparams = [w, b]" + PASS
        + "\n    for p in params:\n        p.data = p - 0.1 * p.grad" + CLEAR,
        "binds a new tensor",
    ),
    (
        "double-batch-average",
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.mse_loss(model(X), y) / len(X)"),
        swap(BY_MODULE, "F.mse_loss(model(X), y)", "F.mse_loss(model(X), y, reduction='sum') / len(X)"),
        "divided by 60 once more",
    ),
    (
        "double-batch-average",
        BY_HAND.replace(".grad\n", ".grad / X.shape[0]\n"),
        swap(BY_HAND, ".mean()", ".sum()").replace(".grad\n", ".grad / X.shape[0]\n"),
        "in the update",
    ),
    (
        "double-batch-average",
        HELPER + HEAD + TENSORS + PASS + "\n    update([w, b], 0.1, len(X))\n",
        HELPER + HEAD + TENSORS + PASS + "\n    update([w, b], 0.1, 1)\n",
        "p -= lr * p.grad",
    ),
    (
        "loss-history-keeps-graph",
        swap(BY_MODULE, "\nfor step", "\nhistory = []\nfor step") + "    history.append(loss)\n",
        swap(BY_MODULE, "\nfor step", "\nhistory = []\nfor step") + "    history.append(loss.item())\n",
        "held together with their graphs",
    ),
    (
        "loss-history-keeps-graph",
        swap(BY_MODULE, "\nfor step", "\ntotal = 0\nfor step") + "    total += loss\n",
        swap(BY_MODULE, "\nfor step", "\ntotal = 0\nfor step") + "    total += loss.detach()\n",
        "running sum",
    ),
    (
        "loss-history-keeps-graph",
        HEAD + KEPT,
        HEAD + KEPT.replace("kept[step]", "kept[0]"),
        "losses of past steps",
    ),
]
