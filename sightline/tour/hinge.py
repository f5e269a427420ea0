"""Case 1: noisy labels and the hinge loss.

Ten columns of noise, labels by a hidden line, a fifth of them flipped: the data of the example of TensorFlow's
constrained optimization library, which asks for a linear model of least hinge loss whose recall is at least 90 %.
In PyTorch the loss whose name fits, ``HingeEmbeddingLoss``, is a different one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.certificate import Certificate
from sightline.driver import fit
from sightline.recipes import Recipe, train

if TYPE_CHECKING:
    from sightline.objective import Weights

ROWS, FLIPS, COLUMNS = 100, 20, 10
WANTED = 0.9  # recall
RATE = 1.0
POSTED = 4000  # steps with the posted loss
SHOWN = (0, 10, 100, 1000, POSTED)
STEPS = 2000  # steps with the right one
EDGE = 1e-9  # a score nearer to zero is at the threshold


class Posted(nn.Module):
    """A linear model as it was posted: its weights are plain tensors, so the module has no parameters."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.weight = torch.zeros(columns, requires_grad=True)
        self.bias = torch.zeros(1, requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        """Scores, (n,)."""
        return x @ self.weight + self.bias


class Mended(Posted):
    """The same, its tensors wrapped in ``nn.Parameter``."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        del self.weight, self.bias
        self.weight = nn.Parameter(torch.zeros(columns))
        self.bias = nn.Parameter(torch.zeros(1))


def noisy(seed: int = 0, rows: int = ROWS, flips: int = FLIPS, columns: int = COLUMNS) -> tuple[Tensor, Tensor]:
    """X (n, d) float32 and labels (n,) of -1 and 1, drawn in the order of the published example."""
    state = np.random.RandomState(seed)
    truth = state.normal(size=columns) / math.sqrt(columns)
    X = state.normal(size=(rows, columns)).astype(np.float32) / math.sqrt(columns)
    positive = X @ truth > 0
    flipped = state.choice(rows, flips, replace=False)
    positive[flipped] = ~positive[flipped]
    return torch.from_numpy(X), torch.from_numpy(np.where(positive, 1.0, -1.0).astype(np.float32))


def hinge(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean of max(0, 1 - t s)."""
    return (1 - labels * scores).clamp(min=0).mean()


@dataclass(frozen=True)
class Way:
    """A model of the wanted recall, or of none in particular: its mean hinge loss, recall and precision."""

    name: str
    loss: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Facts:
    """Numbers of the case.

    positives : rows labelled 1.
    posted : (step, loss, share of right labels) of the training with ``HingeEmbeddingLoss``.
    slope : what that loss falls by for each unit of length along the direction it went last; negative means for ever.
    empty : what the optimizer says of a module without parameters.  mended : names of the parameters after the mend.
    certificate, accuracy, recall, precision : of the hinge loss's optimum.
    course : (step, distance from the optimum) of gradient descent on the right loss.
    ways : models for the recall that was wanted; empty in the short form.
    price : what the last of them would lose for each unit that its constraint were wider; None in the short form.
    """

    positives: int
    posted: tuple[tuple[int, float, float], ...]
    slope: float
    empty: str
    mended: tuple[str, ...]
    certificate: Certificate
    accuracy: float
    recall: float
    precision: float
    course: tuple[tuple[int, float], ...]
    ways: tuple[Way, ...]
    price: float | None
    runs: dict[str, Any] = field(repr=False, compare=False)


def facts(short: bool = False) -> Facts:
    """Run the case."""
    X, t = noisy()
    posted = train(
        _linear(), (X, t[:, None]), nn.HingeEmbeddingLoss(), Recipe("sgd", lr=RATE, epochs=1000 if short else POSTED),
        record=10,
    )  # fmt: skip
    loss, weights = dict(zip(posted.trace.step, posted.trace.loss)), dict(posted.trace.weights)
    shown = [step for step in SHOWN if step in weights]
    before, last = weights[shown[-2]], weights[shown[-1]]
    right = train(_linear(), (X, t[:, None]), "hinge", Recipe("sgd", lr=RATE, epochs=STEPS), record=10)
    gap = dict(zip(right.trace.step, right.trace.gap))
    best = fit(X.double(), t, loss="hinge", tol=1e-9)
    scores = best.scores(X)
    ways, price = ((), None) if short else _ways(X.double(), t.double(), scores)
    return Facts(
        positives=int((t > 0).sum()),
        posted=tuple((s, loss[s], _right(scores_of(weights[s], X), t)) for s in shown),
        slope=_slope(X, t, last.coef - before.coef, last.intercept - before.intercept),
        empty=_refusal(),
        mended=tuple(name for name, _ in Mended(COLUMNS).named_parameters()),
        certificate=best.certificate,
        accuracy=_right(scores, t),
        recall=_recall(scores, t),
        precision=_precision(scores, t),
        course=tuple((s, gap[s]) for s in (0, 10, 100, 1000, STEPS)),
        ways=ways,
        price=price,
        runs={"posted": posted, "right": right, "X": X, "t": t, "best": best},
    )


def _linear() -> nn.Linear:
    """The start of every run of the case."""
    torch.manual_seed(0)
    return nn.Linear(COLUMNS, 1)


def scores_of(weights: Weights, X: Tensor) -> Tensor:
    """X w + b, (n,) float64."""
    return X.double() @ weights.coef + weights.intercept


def _right(scores: Tensor, t: Tensor) -> float:
    return float(((scores > 0) == (t > 0)).double().mean())


def _recall(scores: Tensor, t: Tensor, least: float = 0.0) -> float:
    return float((scores[t > 0] > -least).double().mean())


def _precision(scores: Tensor, t: Tensor, least: float = 0.0) -> float:
    return float((t[scores > -least] > 0).double().mean())


def _slope(X: Tensor, t: Tensor, coef: Tensor, intercept: Tensor) -> float:
    """What the posted loss gains by one unit of length along a direction, far out: the scores alone count there."""
    length = float(torch.cat([coef, intercept.reshape(1)]).norm())
    along = (X.double() @ coef + intercept) / length
    return float(torch.where(t > 0, along, (-along).clamp(min=0)).mean())


def _refusal() -> str:
    try:
        torch.optim.SGD(Posted(COLUMNS).parameters(), lr=RATE)
    except ValueError as error:
        return str(error)
    return ""


def _ways(X: Tensor, t: Tensor, scores: Tensor) -> tuple[tuple[Way, ...], float]:
    """Models whose recall on these rows is at least the wanted one, and the multiplier of the last one's constraint."""
    promised, price = _promised(X, t)
    return (_moved(t, scores), _weighted(X, t), promised), price


def _way(name: str, scores: Tensor, t: Tensor) -> Way:
    """A model by its scores; a score of zero up to rounding counts as positive, as the threshold is set there."""
    return Way(name, float(hinge(scores, t)), _recall(scores, t, EDGE), _precision(scores, t, EDGE))


def _moved(t: Tensor, scores: Tensor) -> Way:
    """The optimum's direction with the best scale and threshold of that recall: a linear program in two numbers."""
    needed = math.ceil(WANTED * int((t > 0).sum()))
    last = scores[t > 0].sort(descending=True).values[needed - 1]
    scale, shift = _least_hinge(scores[:, None], t, row=torch.stack([last, last.new_ones(())]))[0]
    return _way("move the threshold", scale * scores + shift, t)


def _weighted(X: Tensor, t: Tensor) -> Way:
    """The least weight of the positive class whose optimum has that recall, by bisection; each optimum is certified."""
    low, high = 1.0, 16.0
    found = None
    while high - low > 1e-3:
        weight = (low + high) / 2
        best = fit(X, t, loss="hinge", class_weight={-1.0: 1.0, 1.0: weight}, tol=1e-9)
        if _recall(best.scores(X), t, EDGE) >= WANTED:
            high, found = weight, best
        else:
            low = weight
    assert found is not None
    return _way(f"weigh the positive class {high:.2f} times", found.scores(X), t)


def _promised(X: Tensor, t: Tensor) -> tuple[Way, float]:
    """Least hinge loss of all models whose mean hinge loss over the positive rows is at most 1 - recall: a convex
    problem, and as no row's hinge is below its error, its solution keeps the promise on these rows."""
    solution, price = _least_hinge(X, t, most=1 - WANTED)
    return _way("a constraint on the positive rows", X @ solution[:-1] + solution[-1], t), price


def _least_hinge(X: Tensor, t: Tensor, row: Tensor | None = None, most: float | None = None) -> tuple[Tensor, float]:
    """The least mean hinge loss with row . weights >= 0, or with one of at most ``most`` over the positive rows, as a
    linear program in weights and slacks: (weights with the bias last, multiplier of that constraint)."""
    from scipy.optimize import linprog

    n, p = X.shape
    margins = -t[:, None] * torch.cat([X, X.new_ones(n, 1)], 1)
    above = torch.cat([margins, -torch.eye(n, dtype=X.dtype)], 1)
    limit = -torch.ones(n, dtype=X.dtype)
    if row is not None:
        above = torch.cat([above, torch.cat([-row, X.new_zeros(n)])[None]])
        limit = torch.cat([limit, X.new_zeros(1)])
    if most is not None:
        positive = (t > 0).to(X.dtype) / (t > 0).sum()
        above = torch.cat([above, torch.cat([X.new_zeros(p + 1), positive])[None]])
        limit = torch.cat([limit, X.new_tensor([most])])
    cost = torch.cat([X.new_zeros(p + 1), X.new_full((n,), 1 / n)])
    bounds = [(None, None)] * (p + 1) + [(0, None)] * n
    found = linprog(cost.numpy(), A_ub=above.numpy(), b_ub=limit.numpy(), bounds=bounds)
    return torch.from_numpy(found.x[: p + 1].copy()), -float(found.ineqlin.marginals[-1])
