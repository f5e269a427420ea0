"""What the rules on losses share: the loss as a function of the scores, and of values between these and the target.

A *stage* is a value that all scores pass through on their way to the target: the scores themselves, then what a
sigmoid, a softmax, an exponential made of them.  At each stage the rest of the loss is a function that can be given
any numbers.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sightline.check.evidence import Evidence
from sightline.check.finding import Place, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.scores import doubled, waists
from sightline.check.recovering.soft import soft_cross_entropy
from sightline.check.trying import attempt
from sightline.losses import Hinge, Huber, Logistic, Loss, Poisson, Softmax, Squared
from sightline.recipes.recognised import Recognised, recognise

KNOWN: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid, "softmax": lambda z: torch.softmax(z, -1), "log sigmoid": F.logsigmoid,
    "log softmax": lambda z: torch.log_softmax(z, -1), "exponential": torch.exp, "relu": torch.relu, "tanh": torch.tanh,
}  # fmt: skip
FAR = 1e3  # scores at which a squashing call has come to its ends
ROWS = 64  # of made-up scores on which a link is probed
NEAR = (0.2, 0.4, 0.6, 0.8)  # probabilities at which a log loss of probabilities is told
RATES = (0.31, 0.73, 1.37, 2.9)  # rates at which a loss of rates is told
CLOSE = 1e-3  # relative, for a clamp or a small number beside a logarithm


@dataclass(frozen=True)
class Link:
    """What is made of the scores up to a stage.

    kind : one of KNOWN, "identity" at the scores, "clamp" to low and high, "" for any other.  low, high : the least and
    largest value that very low and very high scores give.  simplex : nonnegative rows that sum to 1.  constant : the
    same whatever the scores.
    """

    kind: str
    low: float
    high: float
    simplex: bool
    constant: bool

    @property
    def within_unit(self) -> bool:
        """All values are in [0, 1], and not all the same."""
        return self.low >= -1e-9 and self.high <= 1 + 1e-9 and not self.constant

    @property
    def logarithms(self) -> bool:
        """Logarithms of probabilities: never positive, without a lower end."""
        return self.high <= 1e-9 and self.low < -0.1 * FAR and not self.constant


@dataclass(frozen=True)
class Stage:
    """function(values, targets) : the rest of the loss.  y : its targets.  shape : of the values.  which : row numbers.

    made : the values there of all rows, with the training's weights as they ended, (n, ...) float64.
    """

    slot: int
    link: Link
    function: Callable[[Tensor, Tensor], Tensor]
    y: Tensor
    shape: tuple[int, ...]
    which: Tensor
    made: Tensor | None

    @cached_property
    def recognised(self) -> Recognised | None:
        """Which loss the rest of the loss is; several targets of two classes are taken as so many rows."""
        return recognised(self.function, self.y, self.shape)

    @cached_property
    def cross_entropy(self) -> bool:
        """Whether the rest is the cross-entropy of scores with labels or shares."""
        found = self.recognised
        if found is not None:
            return isinstance(found.loss, Softmax)
        if len(self.shape) != 2 or self.shape[1] < 2:
            return False
        with contextlib.suppress(Exception):
            return soft_cross_entropy(self.function, self.y, (self.shape[0], self.shape[1]), self.which) is not None
        return False

    def slope(self, values: Tensor, y: Tensor | None = None) -> Tensor:
        """Derivative of the rest of the loss, float64, the shape of ``values``."""
        leaf = values.detach().double().clone().requires_grad_()
        with torch.enable_grad():
            target = self.y if y is None else y
            value = self.function(leaf, target.double() if target.is_floating_point() else target)
            (made,) = torch.autograd.grad(value, leaf)
        return made.double()


def recognised(function: Any, y: Tensor, shape: tuple[int, ...], link: str = "identity") -> Recognised | None:
    """The loss of scores that a function of (values, targets) is, or None; (n, K) yes-or-no targets as n K rows."""
    with contextlib.suppress(Exception):
        found = recognise(function, y, shape, link, torch.float64)
        if found is not None or len(shape) != 2 or shape[1] < 2 or tuple(y.shape) != shape:
            return found

        def flat(z: Tensor, given: Tensor) -> Tensor:
            answer: Tensor = function(z.reshape(-1, shape[1]), given.reshape(-1, shape[1]))
            return answer

        return recognise(flat, y.reshape(-1), (y.numel(),), link, torch.float64)
    return None


def stages(training: Recovered) -> list[Stage]:
    """The stages of a training, the scores first; empty where scores, rows or target were not found."""
    scores = training.scores
    if scores is None or training.rows is None or training.linear is None or scores.target is None:
        return []
    kept = getattr(training, "_stages", None)
    if kept is not None:
        return list(kept)
    found: list[Stage] = []
    order = waists(scores.program, scores.data.slot)
    begin = order.index(scores.slot) if scores.slot in order else 0
    end = order.index(scores.prediction) if scores.prediction in order else begin
    for slot in order[begin : end + 1]:
        rest = training.loss_of_scores(at=slot)
        link = _link(training, slot)
        if rest is None or link is None:
            continue
        made = training.value(slot, training.weights)
        found.append(Stage(slot, link, *rest, None if made is None else made.double().cpu()))
    training._stages = found  # type: ignore[attr-defined]
    return found


def _link(training: Recovered, slot: int) -> Link | None:
    """What the program makes of made-up scores up to a slot; None where it cannot be run on them."""
    scores, linear, rows = training.scores, training.linear, training.rows
    assert scores is not None and linear is not None and rows is not None
    if slot == scores.slot:
        return Link("identity", -FAR, FAR, False, False)
    inner = () if rows.how == "stacked" else tuple(scores.program.shapes[scores.slot])[1:]
    count = 1 if rows.how == "stacked" else ROWS
    generator = torch.Generator().manual_seed(4)
    base = {**doubled(rows.values), **doubled(dict(training.weights))}

    def at(z: Tensor) -> Tensor:
        with torch.no_grad(), torch.random.fork_rng():
            given = z[0] if rows.how == "stacked" else z
            return scores.program.run({**base, scores.slot: given}, [slot])[0].double()

    with contextlib.suppress(Exception):
        seen = []
        for size in (0.1, 1.0, 5.0, FAR, FAR):
            z = size * torch.randn((count, *inner), generator=generator, dtype=torch.float64)
            seen.append((z, at(z)))
        values = torch.cat([v.reshape(-1) for _, v in seen])
        values = values[~torch.isnan(values)]  # inf / inf, where a softmax is written by hand
        kind = next((name for name, link in KNOWN.items() if _alike(link, seen)), "")
        rows_of = [v.reshape(v.shape[0], -1) for _, v in seen if v.ndim and not bool(torch.isnan(v).any())]
        simplex = bool(rows_of) and all(v.shape[1] > 1 and bool((v >= -1e-9).all()) for v in rows_of)
        simplex = simplex and all(float((v.sum(1) - 1).abs().max()) < 1e-6 for v in rows_of)
        low, high = float(values.min()), float(values.max())
        if not kind and all(torch.equal(v.reshape(-1), z.clamp(low, high).reshape(-1)) for z, v in seen):
            kind = "clamp"
        same = math.isfinite(high) and high - low <= 1e-9 * max(1.0, abs(high))
        return Link(kind, low, high, simplex, same)
    return None


def _alike(link: Callable[[Tensor], Tensor], seen: list[tuple[Tensor, Tensor]]) -> bool:
    """Whether a known function gives what was seen: up to a small clamp, and where it is no overflow."""
    for z, v in seen[:3]:
        want = link(z).reshape(-1)
        if want.numel() != v.numel() or not torch.allclose(v.reshape(-1), want, rtol=1e-5, atol=1e-6):
            return False
    return True


def log_loss_of_probabilities(stage: Stage, sign: float = 1.0, turned: bool = False) -> bool:
    """Whether the rest of the loss is -y log p - (1 - y) log(1 - p) of the values, times a weight for each row.

    sign : -1 asks it of the negative.  turned : asks it with 1 - y for y.
    """
    y = stage.y.double()
    if y.numel() != math.prod(stage.shape) or bool((y < 0).any()) or bool((y > 1).any()):
        return False
    y = y.reshape(stage.shape)
    q = 1 - y if turned else y
    weights = []
    with contextlib.suppress(Exception):
        for p in NEAR:
            slope = sign * stage.slope(torch.full(stage.shape, p, dtype=torch.float64))
            away = p - q
            if bool((away.abs() < 1e-9).any()):
                continue
            weights.append(slope * p * (1 - p) / away)
        first = weights[0]
        even = all(float((w / first - 1).abs().max()) <= 10 * CLOSE for w in weights[1:])
        return len(weights) > 1 and bool((first > 0).all()) and even
    return False


def rates_wanted(stage: Stage) -> bool:
    """Whether the rest of the loss is r - y log r of the values r, times a weight for each row."""
    y = stage.y.double()
    if y.numel() != math.prod(stage.shape) or bool((y < 0).any()):
        return False
    y = y.reshape(stage.shape)
    with contextlib.suppress(Exception):
        weights = []
        for r in RATES:
            values = torch.full(stage.shape, r, dtype=torch.float64)
            weights.append(stage.slope(values) / (1 - y / values))
        first = weights[0]
        even = all(float((w / first - 1).abs().max()) <= 10 * CLOSE for w in weights[1:])
        return bool((first > 0).all()) and even
    return False


def made_at(training: Recovered, stage: Stage, evidence: Evidence) -> Place | None:
    """The line that makes the value at a stage."""
    scores = training.scores
    step = None if scores is None else scores.program.producer(stage.slot)
    return evidence.place(step.at) if step is not None and step.at is not None else evidence.loss_line(training)


# ---------------------------------------------------------------------------------------------------------- targets


def two_values(y: Tensor | None) -> list[float]:
    """The two values that targets take, rising; empty where they take others than two."""
    if y is None or y.numel() == 0:
        return []
    values: list[float] = torch.unique(y.double()).tolist()
    return values if len(values) == 2 else []


def labels(training: Recovered) -> Tensor | None:
    """Class numbers of all rows, (n,) long: of class targets or of one-hot rows; None for other targets."""
    y = training.y
    if y is None:
        return None
    if y.ndim == 2 and y.shape[1] > 1:
        real = y.double()
        hot = bool(((real == 0) | (real == 1)).all()) and bool((real.sum(1) == 1).all())
        return y.argmax(1) if hot else (y.argmax(1) if bool(((real.sum(1) - 1).abs() < 1e-6).all()) else None)
    y = y.reshape(-1)
    if y.is_floating_point() and bool((y != y.round()).any()):
        return None
    return y.long()


def signs(y: Tensor) -> Tensor | None:
    """The larger of two values as +1, the other as -1, (n,) float64; None where they are not two."""
    values = two_values(y)
    return torch.where(y.double() == values[1], 1.0, -1.0).double().reshape(-1) if values else None


def by_row(stage: Stage, n: int, shares: Tensor) -> Tensor | None:
    """Weights (n,) of all rows from the shares of those of a stage; None where all are alike."""
    if len(shares) != len(stage.which):
        return None
    total = torch.zeros(n, dtype=torch.float64).index_add_(0, stage.which, shares.double())
    count = torch.zeros(n, dtype=torch.float64).index_add_(0, stage.which, torch.ones(len(shares), dtype=torch.float64))
    mean = total / count.clamp(min=1)
    mean = torch.where(count > 0, mean, mean[count > 0].mean())
    return None if float(mean.max() - mean.min()) <= 1e-5 * float(mean.max()) else mean / mean.mean()


# ----------------------------------------------------------------------------------------------------------- mends


def tried_with(
    training: Recovered, evidence: Evidence, loss: Loss, what: str, *, factor: float = 1.0, y: Tensor | None = None,
    row_weights: Tensor | None = None,
) -> Tried | None:
    """The person's own recipe with another loss on the same rows, and that problem's optimum.

    y : targets for the loss; by default the script's, coded for it.  None where the loss does not fit the scores.
    """
    linear = training.linear
    if not evidence.attempt or linear is None:
        return None
    target = coded(training, loss) if y is None else y
    if target is None:
        return None
    with contextlib.suppress(Exception):
        problem = training.problem(loss, target, factor, training.penalties, row_weights=row_weights)
        return attempt(training, problem, what)
    return None


def coded(training: Recovered, loss: Loss) -> Tensor | None:
    """The script's targets as a loss takes them, or None where they do not suit it or the number of outputs."""
    y, linear = training.y, training.linear
    if y is None or linear is None:
        return None
    if isinstance(loss, Softmax):
        target = labels(training)
        fits = target is not None and linear.outputs > 1 and bool(((target >= 0) & (target < linear.outputs)).all())
        return target if fits else None
    if loss.targets == "binary":
        return signs(y) if linear.outputs == 1 and y.numel() == len(linear.X) else None
    if isinstance(loss, Squared) and linear.outputs > 1:
        return y.double() if tuple(y.shape) == (len(linear.X), linear.outputs) else None
    if linear.outputs != 1 or y.numel() != len(linear.X):
        return None
    if isinstance(loss, Poisson) and bool((y.double() < 0).any()):
        return None
    return y.double().reshape(-1)


def classification(training: Recovered) -> Loss | None:
    """The log loss that suits targets and outputs: of two classes for one output, of several for several."""
    loss: Loss = Logistic() if training.linear is not None and training.linear.outputs == 1 else Softmax()
    return loss if coded(training, loss) is not None else None


__all__ = [
    "FAR", "Hinge", "Huber", "Link", "Stage", "by_row", "classification", "coded", "labels",
    "log_loss_of_probabilities", "made_at", "rates_wanted", "recognised", "signs", "stages", "tried_with", "two_values",
]  # fmt: skip
