"""The loss has fallen to what float32 can resolve, and no step takes it lower.

## What it finds

A float32 number of size m is known to 6e-8 m. Residuals of numbers of that size cannot be told from zero below it, so
the mean squared error stalls near the square of that. The rule compares the last loss with it.

## Why it matters

Targets or columns far from zero (years, populations, prices in cents) leave few digits for what distinguishes the
rows: slopes come out wrong although the loss no longer changes. A tolerance below the floor is never met.

## Example

```python
x = torch.tensor(years)                          # 1990 .. 2020, float32
y = torch.tensor(populations)                    # 8e6: the next float32 number is 0.5 away
```

## Instead

```python
x, y = (x - x.mean()).double(), (y - y.mean()).double()
model = model.double()
```

## How sure

The floor is an order of magnitude. It is advice where the answer is right to the digits that float32 has, and a
warning where the stalled loss is far above the optimum in float64.
"""

from __future__ import annotations

import math

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import Progress, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

EPS = torch.finfo(torch.float32).eps
TIMES = 100.0  # the floor, and so many times above
COARSE = 1e-3  # of the targets' spread: a rounding that is worth a word
LOWER = 3.0  # times is the optimum lower


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The stalled loss against the square of float32's spacing."""
    here = progress(training)
    if here is None or training.dtype != torch.float32 or here.problem.objective.loss.name != "squared":
        return None
    if not math.isfinite(here.end) or here.end <= 0:
        return None
    return _stalled_at_floor(here, training, evidence) or _rounded_targets(here, training, evidence)


def _stalled_at_floor(here: Progress, training: Recovered, evidence: Evidence) -> Finding | None:
    """A loss that no longer falls, near the square of what float32 resolves."""
    if not _stalled(here):
        return None
    z = training.z(training.weights)
    y = training.y
    if z is None or y is None:
        return None
    linear = training.linear
    assert linear is not None
    size = max(float(z.abs().max()), float(y.double().abs().max()))
    if linear.where is not None:
        coef = training.weights_in(here.problem, training.weights).coef
        size = max(size, float((linear.X.abs() @ coef.reshape(linear.X.shape[1], -1).abs()).max()))
    floor = 0.5 * (EPS * size) ** 2
    own = training.stretch.losses[-1] / here.problem.factor  # as float32 had it, not of the same weights in float64
    if not 1e-3 * floor <= own <= TIMES * floor or own < LOWER * here.best:
        return None
    spread = here.null
    hurts = here.excess > 1e-6 * spread
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, "the same problem in float64", own_recipe=False)
    return Finding(
        rule="float32-floor",
        severity=Severity.WARNING if hurts else Severity.ADVICE,
        what=f"the loss stalls at {here.problem.factor * own:.2g}, about what float32 resolves of numbers up to"
        f" {size:.3g}; in float64 it reaches {here.problem.factor * here.best:.2g}",
        where=evidence.loss_line(training),
        measured=Number(here.problem.factor * own, "last loss"),
        bound=Number(here.problem.factor * floor, "float32's floor, (6e-8 · size)²"),
        why=f"Near {size:.3g} neighbouring float32 numbers are {EPS * size:.2g} apart, so smaller residuals do not"
        " exist."
        " Centre the numbers, or compute in float64.",
        fix="model = model.double()\nX, y = X.double(), y.double()",
        tried=tried,
        weight=0.9,
    )


def _rounded_targets(here: Progress, training: Recovered, evidence: Evidence) -> Finding | None:
    """Targets so far from zero that what is left at the optimum is no more than their rounding to float32.

    Rounding to multiples of d leaves residuals of variance d²/12.
    """
    y = training.y
    if y is None or y.dtype != torch.float32 or not here.problem.objective.intercept:
        return None
    step = float(torch.nextafter(y.abs().max(), torch.tensor(math.inf)) - y.abs().max())
    spread = float(y.double().std())
    left = 2 * here.best
    if step < COARSE * spread or not 0.1 * step**2 / 12 <= left <= 3 * step**2 / 12:
        return None
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, "the same rows, as float32 has them", own_recipe=False)
    return Finding(
        rule="float32-floor",
        severity=Severity.WARNING,
        what=f"the targets are multiples of {step:.3g} in float32, and what the best line leaves, {left**0.5:.2g}, is"
        " no"
        " more than that rounding",
        where=evidence.loss_line(training),
        measured=Number(left**0.5, "residuals of the optimum (root mean square)"),
        bound=Number(step / 12**0.5, "rounding of the targets to float32"),
        why=f"Near {float(y.abs().max()):.3g} neighbouring float32 numbers are {step:.3g} apart. Centre the targets"
        " before"
        " they become float32, or keep them in float64.",
        fix="y = (y64 - y64.mean()).float()    # or model.double(), with X and y in float64",
        tried=tried,
        weight=0.9,
    )


def _stalled(here: Progress) -> bool:
    """Whether the last quarter of the losses brought nothing."""
    losses = here.training.stretch.losses
    if len(losses) < 8:
        return False
    quarter = losses[-len(losses) // 4 :]
    first, second = quarter[: len(quarter) // 2], quarter[len(quarter) // 2 :]
    return min(second) > 0.5 * min(first)
