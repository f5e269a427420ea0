"""Case 3: two points.

(3, 2) of class 1 and (1, 1) of class 0, full batch, learning rate 1.  Posted as "Why does using weight decay result in
my linear classifier failing to train?" on discuss.pytorch.org, topic 112517: the asker draws the boundary and the sum
of absolute weights by epoch, and expects the line half way between the points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.certificate import Certificate
from sightline.driver import fit
from sightline.recipes import Recipe, Training, train
from sightline.tour.engines import compiled_here

POSTED = Recipe("sgd", lr=1.0, epochs=101)
DECAY = 0.2
LONG_STEPS = 100_000
SHOWN = (10, 20, 50, 100)  # as posted, counted from 0: after 11, 21, 51 and 101 steps


class Posted(nn.Module):
    """The module as it was posted."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features=2, out_features=1)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities, (n, 1)."""
        return torch.sigmoid(self.linear(x))


def points() -> tuple[Tensor, Tensor]:
    """X (2, 2) and y (2, 1)."""
    return torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])


@dataclass(frozen=True)
class Place:
    """Weights of the two columns and bias, with what the posted figure shows of them.

    epoch : as posted, from 0.  angle : degrees between the boundary and the bisector.  size : sum of absolute weights.
    right : rows told rightly.
    """

    epoch: int
    weight: tuple[float, float]
    bias: float
    angle: float
    size: float
    right: int


@dataclass(frozen=True)
class Facts:
    """Numbers of the case.

    bisector : the widest margin, found by ``fit``; half_width its distance from the points.
    heading : (w1, w2, b), the widest margin of the vector that has the bias in it, which gradient descent goes to.
    plain, decayed, weights_only : the posted run without weight decay, with it, and with it on the weights alone.
    far : the plain run after ``LONG_STEPS`` steps; None in the short form.
    limit : decay beyond which the decayed optimum no longer tells the points apart.
    near_limit : rows right at the decayed optimum a little below and a little above that limit.
    certificates : of the ends of plain, decayed and weights_only.
    """

    bisector: Place
    half_width: float
    heading: Place
    plain: tuple[Place, ...]
    decayed: tuple[Place, ...]
    weights_only: tuple[Place, ...]
    far: Place | None
    limit: float
    near_limit: tuple[int, int]
    strengths: tuple[tuple[float, float], ...]
    certificates: tuple[Certificate | None, ...]
    runs: dict[str, Training] = field(repr=False, compare=False)


def facts(short: bool = False) -> Facts:
    """Run the case."""
    X, y = points()
    recipes = {
        "plain": POSTED,
        "decayed": POSTED.but(weight_decay=DECAY),
        "weights_only": POSTED.but(weight_decay=DECAY, decay="weights", epochs=1001),
    }
    runs = {name: _train(X, y, recipe) for name, recipe in recipes.items()}
    widest = fit(X.double(), y[:, 0], loss="hinge", penalty="l2", strength=1e-3, tol=1e-12)
    rows = torch.cat([X, torch.ones(2, 1)], 1).double()
    heading = fit(rows, y[:, 0], loss="hinge", penalty="l2", strength=1e-3, fit_intercept=False, tol=1e-12).weight[0]
    bisector = _place(-1, widest.weight[0], widest.bias[0])
    limit = 1 / (4 * math.log(3))
    return Facts(
        bisector=bisector,
        half_width=1 / math.hypot(*bisector.weight),
        heading=_place(-1, heading[:2], heading[2]),
        plain=_shown(runs["plain"]),
        decayed=_shown(runs["decayed"]),
        weights_only=_shown(runs["weights_only"]),
        far=None if short or not compiled_here() else _far(X, y),
        limit=limit,
        near_limit=(_right_under(rows, y, limit - 1e-4), _right_under(rows, y, limit + 1e-4)),
        strengths=tuple((s, _tilt(X, y, s)) for s in (0.01, DECAY, 1.0)),
        certificates=tuple(run.certificate for run in runs.values()),
        runs=runs,
    )


def _train(X: Tensor, y: Tensor, recipe: Recipe, engine: str = "exact", record: Any = "all") -> Training:
    torch.manual_seed(0)
    return train(Posted(), (X, y), nn.BCELoss(), recipe, engine=engine, record=record)


def _far(X: Tensor, y: Tensor) -> Place:
    return _shown(_train(X, y, POSTED.but(epochs=LONG_STEPS), "compiled", "ends"))[-1]


def _place(epoch: int, weight: Tensor, bias: Tensor) -> Place:
    w, b = (float(weight[0]), float(weight[1])), float(bias)
    X, y = points()
    right = ((X.double() @ weight.double() + b > 0) == (y[:, 0] > 0)).sum()
    # The bisector of the points is normal to the line between them, (2, 1).
    angle = math.degrees(abs(math.atan2(2 * w[1] - w[0], 2 * w[0] + w[1])))
    return Place(epoch, w, b, angle, abs(w[0]) + abs(w[1]), int(right))


def _shown(run: Training) -> tuple[Place, ...]:
    """The run at the posted epochs, and at its end."""
    found = [_place(step - 1, w.coef, w.intercept) for step, w in run.trace.weights]
    return tuple(p for p in found if p.epoch in SHOWN or p is found[-1])


def _right_under(rows: Tensor, y: Tensor, decay: float) -> int:
    """Points told rightly by the optimum under so much decay of weights and bias."""
    best = fit(rows, y[:, 0], loss="logistic", penalty="l2", strength=decay, fit_intercept=False, tol=1e-10)
    return int(((rows @ best.weight[0] > 0) == (y[:, 0] > 0)).sum())


def _tilt(X: Tensor, y: Tensor, decay: float) -> float:
    """Degrees between the bisector and the optimum under so much decay of the weights alone."""
    best = fit(X.double(), y[:, 0], loss="logistic", penalty="l2", strength=decay, tol=1e-10)
    return _place(-1, best.weight[0], best.bias[0]).angle
