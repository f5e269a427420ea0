"""Healthy trainings of all forms, as texts of scripts made of named pieces; a fault is a change of a piece."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

TASKS = ("regression", "logistic", "softmax", "hinge", "squared hinge", "poisson")
HOLDERS = ("linear", "sequential", "own module", "tensors", "parameters")
UPDATES = ("sgd", "momentum", "adam", "no_grad", "data")
BATCHES = ("full", "loader", "slices", "single rows")
CLEARED = ("before the scores", "before backward", "after the step")
PENALTIES = ("none", "none", "decay", "by hand")
MODULES = ("linear", "sequential", "own module")

# What a person could write for each loss; `out` are the scores and `t` the targets of a batch.
LOSSES = {
    "regression": (
        "nn.MSELoss()(out, t)", "F.mse_loss(out, t)", "((out - t) ** 2).mean()", "(out - t).square().mean()",
    ),
    "logistic": (
        "nn.BCEWithLogitsLoss()(out, t)", "F.binary_cross_entropy_with_logits(out, t)",
        "nn.BCELoss()(torch.sigmoid(out), t)", "(F.softplus(out) - t * out).mean()",
    ),
    "softmax": (
        "nn.CrossEntropyLoss()(out, t)", "F.cross_entropy(out, t)", "F.nll_loss(F.log_softmax(out, dim=1), t)",
        "(out.logsumexp(1) - out[torch.arange(len(t)), t]).mean()",
    ),
    "hinge": ("torch.clamp(1 - t * out, min=0).mean()", "F.relu(1 - t * out).mean()"),
    "squared hinge": ("torch.clamp(1 - t * out, min=0).square().mean()", "(F.relu(1 - t * out) ** 2).mean()"),
    "poisson": ("nn.PoissonNLLLoss()(out, t)", "F.poisson_nll_loss(out, t)", "(out.exp() - t * out).mean()"),
}  # fmt: skip
TARGETS = {
    "regression": "y = (X @ w_true).unsqueeze(1) + 0.5 + 0.3 * torch.randn(n, 1)",
    "logistic": "y = torch.bernoulli(torch.sigmoid((X @ w_true).unsqueeze(1) + 0.3))",
    "softmax": "y = (0.7 * X @ torch.randn(p, 3) - torch.log(-torch.log(torch.rand(n, 3)))).argmax(1)",
    "hinge": "y = torch.sign((X @ w_true).unsqueeze(1) + 0.3 + torch.randn(n, 1))",
    "squared hinge": "y = torch.sign((X @ w_true).unsqueeze(1) + 0.3 + torch.randn(n, 1))",
    "poisson": "y = torch.poisson(torch.exp(0.4 * (X @ w_true).unsqueeze(1) + 0.3))",
}
# About 1 / (largest curvature) on standard normal columns, for a step over all rows.
RATES = {"regression": 0.3, "logistic": 2.0, "softmax": 2.0, "hinge": 0.3, "squared hinge": 0.3, "poisson": 0.3}


@dataclass(frozen=True)
class Training:
    """One training: its form, and the pieces of its text by name."""

    number: int
    task: str
    holder: str
    update: str
    batches: str
    dtype: str
    cleared: str
    penalty: str
    rate: float
    pieces: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def is_module(self) -> bool:
        return self.holder in MODULES

    @property
    def by_hand(self) -> bool:
        return self.update in ("no_grad", "data")

    def with_pieces(self, **changes: str) -> Training:
        """The same with other pieces; a piece that is empty is left out."""
        return replace(self, pieces={**self.pieces, **changes})

    @property
    def text(self) -> str:
        """The script."""
        p = self.pieces
        deep = "    " if self.batches == "full" else "        "
        body = [p["forward"], p["loss"], p["penalty"]]
        order = {
            "before the scores": [p["zero"], *body, p["backward"], p["between"], p["step"]],
            "before backward": [*body, p["zero"], p["backward"], p["between"], p["step"]],
            "after the step": [*body, p["backward"], p["between"], p["step"], p["zero"]],
        }[self.cleared]
        lines = [p["imports"], p["data"], p["target"], p["after data"], p["model"], p["optimizer"], p["epochs"]]
        lines += [_indented(p["batches"], "    ")] if p["batches"] else []
        lines += [_indented(piece, deep) for piece in order if piece]
        lines += [_indented(p["decay of the rate"], "    ")] if p["decay of the rate"] else []
        return "\n".join([piece for piece in [*lines, p["end"]] if piece]) + "\n"


def trainings(count: int, seed: int = 0) -> list[Training]:
    """Healthy trainings; every value of each form comes up about equally often, in random company."""
    draw = random.Random(seed)
    decks: dict[str, list[str]] = {}

    def next_of(name: str, values: tuple[str, ...]) -> str:
        if not decks.get(name):
            decks[name] = draw.sample(values, len(values))
        return decks[name].pop()

    found = []
    for number in range(count):
        task = next_of("task", TASKS)
        found.append(_training(
            number, task, next_of("holder", HOLDERS), next_of("update", UPDATES), next_of("batches", BATCHES),
            next_of("dtype", ("float32", "float64")), next_of("cleared", CLEARED), next_of("penalty", PENALTIES),
            next_of(task, LOSSES[task]),
        ))  # fmt: skip
    return found


def _training(
    number: int, task: str, holder: str, update: str, batches: str, dtype: str, cleared: str, penalty: str, loss: str
) -> Training:
    n = 40 if batches == "single rows" else 120
    outputs = 3 if task == "softmax" else 1
    by_hand = update in ("no_grad", "data")
    if by_hand and penalty == "decay":
        penalty = "by hand"
    # Single rows and small batches have larger curvatures than the mean of all rows; Adam's steps are of its rate.
    rate = RATES[task] * {"full": 1.0, "loader": 0.2, "slices": 0.2, "single rows": 0.05}[batches]
    rate = {"momentum": 0.3 * rate, "adam": 0.05}.get(update, rate)
    epochs = {"full": 400, "loader": 60, "slices": 60, "single rows": 30}[batches]
    if task == "hinge":  # its derivative does not fade: larger steps, that become small later
        rate, epochs = 3 * rate, epochs + epochs // 2
    training = Training(number, task, holder, update, batches, dtype, cleared, penalty, rate)
    pieces = {
        "imports": "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n",
        "data": f"torch.manual_seed({number})\ntorch.set_default_dtype(torch.{dtype})\nn, p = {n}, 3\n"
        "X = torch.randn(n, p)\nw_true = torch.tensor([1.0, -0.8, 0.6])",
        "target": TARGETS[task],
        "after data": "",
        "model": _model(holder, outputs),
        "optimizer": "" if by_hand else _optimizer(training, "params", rate),
        "epochs": f"lr = {rate}\nfor epoch in range({epochs}):",
        "batches": _batches(batches),
        "forward": _forward(training),
        "loss": f"loss = {loss}",
        "penalty": f"loss = loss + 0.01 * ({_weight(holder)} ** 2).sum()" if penalty == "by hand" else "",
        "zero": _zero(training),
        "backward": "loss.backward()",
        "between": "",
        "step": _step(training),
        # A constant rate would leave the weights of mini-batches swinging about the optimum.
        "decay of the rate": _decay(training),
        "end": "print(loss.item())",
    }
    return training.with_pieces(**pieces)


def _model(holder: str, outputs: int) -> str:
    if holder == "linear":
        return f"model = nn.Linear(p, {outputs})\nparams = list(model.parameters())"
    if holder == "sequential":
        return f"model = nn.Sequential(nn.Linear(p, {outputs}))\nparams = list(model.parameters())"
    if holder == "own module":
        return (
            "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            f"        self.layer = nn.Linear(p, {outputs})\n\n"
            "    def forward(self, x):\n        return self.layer(x)\n\n\n"
            "model = Model()\nparams = list(model.parameters())"
        )
    if holder == "tensors":
        return (
            f"w = torch.zeros(p, {outputs}, requires_grad=True)\nb = torch.zeros({outputs}, requires_grad=True)\n"
            "params = [w, b]"
        )
    return (
        f"w = nn.Parameter(0.1 * torch.randn(p, {outputs}))\nb = nn.Parameter(torch.zeros({outputs}))\nparams = [w, b]"
    )


def _weight(holder: str) -> str:
    names = {"linear": "model.weight", "sequential": "model[0].weight", "own module": "model.layer.weight"}
    return names.get(holder, "w")


def _optimizer(training: Training, what: str, rate: float) -> str:
    decay = ", weight_decay=0.001" if training.penalty == "decay" else ""
    if training.update == "adam":
        return f"optimizer = torch.optim.Adam({what}, lr={rate}{decay})"
    momentum = ", momentum=0.7" if training.update == "momentum" else ""
    return f"optimizer = torch.optim.SGD({what}, lr={rate}{momentum}{decay})"


def _batches(batches: str) -> str:
    if batches == "loader":
        data = "torch.utils.data.TensorDataset(X, y)"
        return f"for x, t in torch.utils.data.DataLoader({data}, batch_size=30, shuffle=True):"
    if batches == "slices":
        return "for rows in torch.randperm(n).split(30):"
    return "for i in torch.randperm(n).tolist():" if batches == "single rows" else ""


def _forward(training: Training) -> str:
    taken = {
        "full": "x, t = X, y\n", "loader": "", "slices": "x, t = X[rows], y[rows]\n",
        "single rows": "x, t = X[i : i + 1], y[i : i + 1]\n",
    }[training.batches]  # fmt: skip
    return taken + ("out = model(x)" if training.is_module else "out = x @ w + b")


def _zero(training: Training) -> str:
    if not training.by_hand:
        return "optimizer.zero_grad()"
    return "for q in params:\n    q.grad = None" if training.number % 2 else (
        "for q in params:\n    if q.grad is not None:\n        q.grad.zero_()"
    )


def _step(training: Training) -> str:
    if training.update == "no_grad":
        return "with torch.no_grad():\n    for q in params:\n        q -= lr * q.grad"
    if training.update == "data":
        return "for q in params:\n    q.data -= lr * q.grad.data"
    return "optimizer.step()"


def _decay(training: Training) -> str:
    if training.batches == "full" and training.update != "adam" and "hinge" not in training.task:
        return ""
    factor = {"full": 0.985, "loader": 0.93, "slices": 0.93, "single rows": 0.86}[training.batches]
    if training.by_hand:
        return f"lr *= {factor}"
    return f"for group in optimizer.param_groups:\n    group['lr'] *= {factor}"


def _indented(text: str, by: str) -> str:
    return "\n".join(by + line if line else line for line in text.split("\n"))
