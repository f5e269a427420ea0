"""Case 2: is it above freezing?

A model of one column is to say from a temperature in Fahrenheit whether it is above 32 degrees.  The formula
(x - 32) / 1.8 is linear, so the asker expected the weight 0.5555 and the bias -17.7777 and 100 % right answers.
Posted as "can't classify the inputs of a formula by output" on Stack Overflow, question 75125489.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.certificate import Certificate
from sightline.certifying import certify
from sightline.driver import fit
from sightline.recipes import Recipe, Training, train
from sightline.tour.engines import compiled_here

FREEZING = 32
POSTED = Recipe("sgd", lr=0.1, batch_size=1, epochs=1000)
EXACT_EPOCHS = 5  # as many of the posted epochs are run by torch itself, to compare
SHOWN = (1, 10, 100, 1000)
LONG_EPOCHS = 9000  # enough for all rows to be right
LONGEST_EPOCHS = 1_000_000  # 200 million steps: a quarter of a minute
SCALED = Recipe("sgd", lr=10.0, epochs=100)


class Posted(nn.Module):
    """The module as it was posted."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities, (n, 1)."""
        out: Tensor = self.sigmoid(self.linear(x))
        return out


def temperatures() -> tuple[Tensor, Tensor]:
    """x (200, 1) float32, -100 to 99 degrees Fahrenheit, and whether each is above freezing, (200, 1) of 0 and 1."""
    x = torch.arange(-100, 100, dtype=torch.float32)[:, None]
    return x, (x > FREEZING).float()


@dataclass(frozen=True)
class Moment:
    """Where a run is after an epoch or step: share of right answers, weight, bias and boundary -bias/weight."""

    at: int
    right: float
    weight: float
    bias: float

    @property
    def boundary(self) -> float:
        """The temperature at which the score is zero."""
        return -self.bias / self.weight


@dataclass(frozen=True)
class Facts:
    """Numbers of the case.

    agreement : largest relative difference of the weights, after ``EXACT_EPOCHS`` epochs, between torch's own loop and
        the compiled one, which ran the long ones.
    course : the posted run after some epochs.  rows : how many temperatures there are.  compiled : whether the compiled
        engine ran them.
    curvature : largest curvature the mean loss can have, in degrees as they are and scaled.
    all_right : first epoch from which on every row is right at each recorded end of an epoch; None in the short form.
    far : the posted run's boundary after ``LONGEST_EPOCHS``; None in the short form.
    margin : (weight, bias) of the widest margin.
    certificate : of the formula's weights 5/9 and -160/9.  formula : those weights.  rounded : the boundary of the
        asker's numbers, 0.5555 and -17.7777.
    scaled : the scaled run, first at the step from which on every row is right, then at its end; weights for degrees.
    """

    rows: int
    compiled: bool
    agreement: float
    course: tuple[Moment, ...]
    curvature: tuple[float, float]
    all_right: int | None
    far: float | None
    margin: tuple[float, float]
    certificate: Certificate
    formula: Moment
    rounded: float
    scaled: tuple[Moment, Moment]
    runs: dict[str, Any] = field(repr=False, compare=False)


def facts(short: bool = False) -> Facts:
    """Run the case."""
    x, y = temperatures()
    posted = _train(x, y, POSTED, "compiled")
    course = _moments(posted, x, y, len(x))
    exact = _moments(_train(x, y, POSTED.but(epochs=EXACT_EPOCHS), "exact"), x, y, len(x))[-1]
    patient = not short and compiled_here()
    long = None if not patient else _train(x, y, POSTED.but(epochs=LONG_EPOCHS), "compiled", record=_late)
    mean, spread = float(x.mean()), float(x.std())
    scaled = _train((x - mean) / spread, y, SCALED, "exact", record="all")
    steps = [
        Moment(m.at, m.right, m.weight / spread, m.bias - m.weight * mean / spread)
        for m in _moments(scaled, (x - mean) / spread, y, 1)
    ]
    widest = fit(x.double(), y[:, 0], loss="hinge", penalty="l2", strength=1e-3, tol=1e-9)
    w, b = 5 / 9, -160 / 9
    formula = (torch.tensor([w], dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    same = next(m for m in course if m.at == EXACT_EPOCHS)
    return Facts(
        rows=len(x),
        compiled=posted.engine == "compiled",
        agreement=max(abs(same.weight / exact.weight - 1), abs(same.bias / exact.bias - 1)),
        course=tuple(m for m in course if m.at in SHOWN),
        curvature=(_curvature(x), _curvature((x - mean) / spread)),
        all_right=None if long is None else _for_good(_moments(long, x, y, len(x))).at,
        far=_longest(x, y) if patient else None,
        margin=(float(widest.weight), float(widest.bias)),
        certificate=certify(formula, x.double(), y[:, 0], loss="logistic"),
        formula=Moment(0, float((((w * x + b) > 0) == (y > 0)).double().mean()), w, b),
        rounded=17.7777 / 0.5555,
        scaled=(_for_good(steps), steps[-1]),
        runs={"posted": posted, "scaled": scaled, "long": long, "course": course},
    )


def _late(step: int) -> bool:
    """Every 100th epoch, and from the 8,000th on every one."""
    epoch, within = divmod(step, 200)
    return within == 0 and (epoch >= 8000 or epoch % 100 == 0)


def _train(x: Tensor, y: Tensor, recipe: Recipe, engine: str, record: Any = "epochs") -> Training:
    torch.manual_seed(0)
    return train(Posted(), (x, y), nn.BCELoss(), recipe, engine=engine, record=record)


def _longest(x: Tensor, y: Tensor) -> float:
    run = _train(x, y, POSTED.but(epochs=LONGEST_EPOCHS), "compiled", record="ends")
    return -float(run.bias) / float(run.weight)


def _moments(run: Training, x: Tensor, y: Tensor, per_epoch: int) -> list[Moment]:
    """A run at its recorded steps but the start."""
    found = []
    for step, at in run.trace.weights[1:]:
        w, b = float(at.coef), float(at.intercept)
        found.append(Moment(step // per_epoch, float((((w * x + b) > 0) == (y > 0)).double().mean()), w, b))
    return found


def _for_good(moments: list[Moment]) -> Moment:
    """The first moment from which on every row is right."""
    wrong = [k for k, m in enumerate(moments) if m.right < 1]
    return moments[min(wrong[-1] + 1 if wrong else 0, len(moments) - 1)]


def _curvature(x: Tensor) -> float:
    """No curvature of the mean logistic loss is larger: a quarter of the largest eigenvalue of (x, 1)'(x, 1)/n."""
    rows = torch.cat([x, torch.ones_like(x)], 1).double()
    return float(torch.linalg.eigvalsh(rows.T @ rows / len(rows))[-1]) / 4
