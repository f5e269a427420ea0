"""Made-up reports of check, for the tests of its faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sightline.check.drawn import Drawn
from sightline.check.finding import Finding, Number, Outcome, Place, Report, Severity, Tried

SCRIPT = '''\
import torch

torch.manual_seed(0)
x = torch.rand(2000, 1) * 1000 - 500
y = 1.8 * x + 32 + 0.3 * torch.randn(2000, 1)

a = torch.tensor([0.3], requires_grad=True)
b = torch.tensor([-0.6], requires_grad=True)
lr = 1e-6
for t in range(5000):
    loss = ((a * x + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        a -= lr * a.grad
        b -= lr * b.grad
        a.grad.zero_()
        b.grad.zero_()
print(a.item(), b.item())
'''
RULE_PAGE = '''"""{title}

## What it finds
A learning rate above 2 / L.

## Why it matters
Steps overshoot.

## Example
```python
lr = 10
```

## Instead
```python
lr = 0.1
```

## How sure
A theorem: `2 / L` is the bound.
"""
'''
LONG = "model = build(" + ", ".join(f"argument_{k}={k}" for k in range(30)) + ")"


def place(folder: Path, line: int = 10, text: str = SCRIPT) -> Place:
    """A line of a script that is written into the folder."""
    path = folder / "train.py"
    path.write_text(text, encoding="utf-8")
    return Place(str(path), line, text.splitlines()[line - 1].strip())


def ill_conditioned(where: Place | None) -> Finding:
    """The founding case: the bias hardly moves."""
    return Finding(
        rule="ill-conditioned-features",
        severity=Severity.ERROR,
        what="the steps that the slope bears are 87,000 times too small for the bias",
        where=where,
        measured=Number(8.7e4, "condition number of the inputs with the bias"),
        bound=Number(2.1e3, "the most that 5,000 steps can bring to within 1 %"),
        why="The inputs span −500 to 500, so the curvature along the slope is 1.7e5 and along the bias 2. The step that"
        " is safe for the one leaves 99 % of the way of the other.",
        fix="x = (x - x.mean()) / x.std()\nlr = 0.5\nfor t in range(5000):",
        tried=Tried(
            "Inputs standardised, learning rate 0.5, the same 5,000 steps.",
            before=Outcome(loss=1038.2, gap=11520.0),
            after=Outcome(loss=0.09010213, gap=2.1e-8, certified=True),
            optimum=Outcome(loss=0.0901021, gap=3e-13, certified=True),
        ),
        weight=0.97,
    )


def separable(where: Place | None) -> Finding:
    """A finding with a certificate that there is no minimum."""
    return Finding(
        rule="separable-data",
        severity=Severity.WARNING,
        what="a line separates the classes, so the loss has no minimum",
        where=where,
        measured=Number(0.313, "margin of the separating direction"),
        bound=Number(0.0, "what it would be if the classes overlapped"),
        why="Along a separating direction the loss falls for ever. The weights you get depend on when you stop.",
        fix='optimizer = torch.optim.SGD(model.parameters(), lr=0.01, weight_decay=0.01)',
        tried=Tried(
            "A penalty of 0.01 on the weights.",
            before=Outcome(loss=0.02, accuracy=0.985),
            after=Outcome(loss=0.21, accuracy=1.0, gap=0.031),
            no_minimum="Without it there is no minimum: x < 72 tells all 4 rows apart.",
        ),
        weight=0.2,
    )


def shapes(where: Place | None) -> Finding:
    """A finding whose numbers are texts."""
    return Finding(
        rule="target-shape-broadcast",
        severity=Severity.ERROR,
        what="the loss compares every prediction with every target",
        where=where,
        measured=Number(10000.0, "differences that the loss averages", "(100, 1) − (100,) → (100, 100): 10,000"),
        bound=Number(100.0, "targets that there are"),
        why="PyTorch stretches (100, 1) against (100,) to (100, 100). The best answer is the mean of the targets.",
        fix="loss = criterion(model(x), y[:, None])",
    )


def advice() -> Finding:
    """Advice, without a place."""
    return Finding(
        "float32-floor", Severity.ADVICE, "float32 ends here", None, Number(3e-7, "gap"), None,
        "float32 cannot tell smaller steps.", "model.double()",
    )  # fmt: skip


def broken(folder: Path) -> Report:
    """Two errors, a warning and a piece of advice."""
    where = place(folder)
    other = Place(where.file, 14, "a -= lr * a.grad")
    return Report(
        script=where.file,
        verdict="the bias is where it began; the training ended 11,500 times above the optimum",
        findings=(ill_conditioned(where), shapes(other), separable(other), advice()),
        optimum=Outcome(loss=0.0901021, gap=3e-13, certified=True),
        reached=Outcome(loss=1038.2, gap=11520.0),
        training={"rows": 2000, "columns": 1, "optimizer": "gradient descent by hand", "lr": 1e-6, "steps": 5000},
        notes=("Of 5,000 steps every 10th was recorded whole.",),
    )


def healthy(gap: float = 2e-7) -> Report:
    """A training with nothing wrong."""
    return Report(
        script="train.py", verdict="", optimum=Outcome(0.25, 0.9, 1e-10, True), reached=Outcome(0.25, 0.9, gap),
        training={"rows": 100, "columns": 3, "optimizer": "Adam", "lr": 0.01, "steps": 1000},
    )  # fmt: skip


def line_drawn(steps: int = 5000, rows: int = 200, rate: float = 1e-6) -> Drawn:
    """The numbers of a line that gradient descent fits to 32 + 1.8 x: slope and bias every 50th step."""
    random = np.random.default_rng(0)
    x = random.uniform(-500, 500, rows)
    y = 1.8 * x + 32 + 0.3 * random.standard_normal(rows)
    w, path, losses = np.array([0.3, -0.6]), [], []
    for step in range(steps + 1):
        residual = w[0] * x + w[1] - y
        if step % 50 == 0:
            path.append(w.copy())
        losses.append(float(np.mean(residual**2)))
        w = w - rate * np.array([2 * np.mean(residual * x), 2 * np.mean(residual)])
    best = np.linalg.lstsq(np.stack([x, np.ones(rows)], 1), y, rcond=None)[1]
    return Drawn(
        label="gradient descent by hand, lr 1e-06", losses=losses, steps=range(steps + 1), loss="squared", X=x[:, None],
        y=y, factor=2.0, path=np.stack(path), path_steps=range(0, steps + 1, 50), rate=rate, optimizer="vanilla",
        optimum=float(best[0]) / rows,
    )  # fmt: skip


def classes_drawn(apart: float = 1.0, steps: int = 300) -> Drawn:
    """The numbers of a logistic regression on two columns; ``apart`` 4 and more separates the classes."""
    random = np.random.default_rng(1)
    y = np.repeat([0, 1], 40)
    X = random.standard_normal((80, 2)) + apart * np.stack([y, y], 1)
    A, w, path, losses = np.c_[X, np.ones(80)], np.zeros(3), [], []
    for _ in range(steps):
        z = A @ w
        path.append(w.copy())
        losses.append(float(np.mean(np.logaddexp(0, z) - y * z)))
        w = w - 0.5 * A.T @ (1 / (1 + np.exp(-z)) - y) / 80
    return Drawn(
        label="SGD, lr 0.5", losses=losses, steps=range(steps), loss="logistic", X=X, y=y, path=np.stack(path),
        path_steps=range(steps), rate=0.5, optimizer="sgd",
    )  # fmt: skip
