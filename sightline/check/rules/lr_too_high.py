"""The learning rate is above what the loss's curvature allows, so steps overshoot and grow.

## What it finds

Along the direction of largest curvature L a step of gradient descent multiplies the error by 1 - lr L. Above lr = 2/L
(with momentum β, 2 (1 + β)/L) that factor is below -1 and the error grows with every step. The rule measures L, the
largest eigenvalue of the Hessian of the script's own loss on its own rows, and of single batches, and compares.

## Why it matters

The loss explodes, ends as `nan`, or jumps up and down without settling. With losses that are summed over rows, L
grows with their number, so a rate that is harmless for ten rows is not for a thousand.

## Example

```python
loss = nn.MSELoss(reduction="sum")(model(X), y)      # L grows with the number of rows
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
```

## Instead

```python
loss = nn.MSELoss()(model(X), y)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
```

## How sure

Certain for the squared loss, whose curvature is the same everywhere. For other losses L is the largest that was met
at the start, the end and the optimum; the rule speaks only where the training also ended far from its optimum.
"""

from __future__ import annotations

import math

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import ADAPTIVE, Progress, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt, learning_rate

GROWTH = 1e3  # times the first loss at which a training without a certified problem has exploded


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """lr against 2 (1 + β)/L."""
    here = progress(training)
    if here is None:
        return _exploded(training, evidence)
    if not here.far:
        return None
    if here.kind in ADAPTIVE:
        return _adaptive(here, training, evidence)
    if not here.descent or here.highest_lr is None:
        return None
    lr, limit = here.highest_lr, here.limit
    batch = False
    if limit is not None and here.worst_batch and here.diverged:
        of_batch = 2 * (1 + here.momentum) / here.worst_batch
        if of_batch < limit and lr > of_batch:
            limit, batch = of_batch, True
    if limit is None or lr <= limit:
        return None
    better = _round(limit / 4)
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, f"the same recipe with lr={better:g}", lr=better)
    exploded = "the loss grows without end" if here.diverged else "the loss jumps and does not settle"
    whose = "the worst batch's curvature" if batch else "the curvature"
    top = 2 * (1 + here.momentum) / limit
    # On unscaled columns the rate has to suit the largest of them: then that is the cause, unless all explodes.
    condition = (here.condition_of_columns if here.no_minimum else here.condition) or 1.0
    return Finding(
        rule="lr-too-high",
        severity=Severity.ERROR if here.diverged else Severity.WARNING,
        what=f"learning rate {lr:g} is {lr / limit:.3g} times the largest stable one, {limit:.3g}: {exploded}",
        where=evidence.optimizer_line(training),
        measured=Number(lr, "learning rate"),
        bound=Number(limit, "largest stable rate, " + ("2 (1 + β)/L" if here.momentum else "2/L")),
        why=f"With {whose} L = {top:.3g} each step multiplies the error by {1 - lr * top:.3g} along its direction."
        " Below the bound it shrinks.",
        fix=f"lr = {better:g}",
        tried=tried,
        weight=0.9 if here.diverged or condition < 1e3 else 0.5,
    )


def _adaptive(here: Progress, training: Recovered, evidence: Evidence) -> Finding | None:
    """Adam and its kin: steps of about lr whatever the gradient, against the way that there is to go."""
    lr, way = here.lr, here.distance
    if lr is None or not way or here.no_minimum:
        return None
    losses = [x for x in training.stretch.losses if math.isfinite(x)]
    if len(losses) < 20 or (not here.diverged and lr < 0.5 * way):
        return None
    late = losses[-len(losses) // 4 :]
    swings = sum(1 for a, b, c in zip(late, late[1:], late[2:]) if (b - a) * (c - b) < 0)
    if swings < 0.2 * len(late):
        return None
    better = _round(way / 100)
    if better >= lr / 3:
        return None
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, f"the same recipe with lr={better:g}", lr=better)
    return Finding(
        rule="lr-too-high",
        severity=Severity.WARNING,
        what=f"{here.kind} moves each weight by about {lr:g} a step, and the optimum is only {way:.3g} away:"
        " it swings around it",
        where=evidence.optimizer_line(training),
        measured=Number(lr, "step"),
        bound=Number(way, "distance to the optimum"),
        why=f"{here.kind} divides the gradient by its size, so near the optimum its steps stay as long as before."
        " It settles no nearer than that.",
        fix=f"lr = {better:g}",
        tried=tried,
        weight=0.8,
    )


def _exploded(training: Recovered, evidence: Evidence) -> Finding | None:
    """Where no convex problem is known: the loss grew by orders of magnitude and the curvature says why."""
    stretch = training.stretch
    if training.whole_program is None or len(stretch.losses) < 3 or _is_adaptive(training):
        return None
    first, last = stretch.losses[0], stretch.losses[-1]
    grew = not math.isfinite(last) or abs(last) > GROWTH * abs(first)
    if not grew or not math.isfinite(first):
        return None
    values = training.curvatures(training.start)
    lr = learning_rate(training)
    if values is None or lr is None or not bool(torch.isfinite(values).all()) or float(values[-1]) <= 0:
        return None
    limit = 2 / float(values[-1])
    if lr <= limit:
        return None
    return Finding(
        rule="lr-too-high",
        severity=Severity.ERROR,
        what=f"learning rate {lr:g} is {lr / limit:.3g} times the largest stable one at the start: the loss explodes",
        where=evidence.optimizer_line(training),
        measured=Number(lr, "learning rate"),
        bound=Number(limit, "largest stable rate, 2/L"),
        why=f"The loss's largest curvature at the start is {float(values[-1]):.3g}. Steps longer than 2/L overshoot"
        " by more"
        " than they mend.",
        fix=f"lr = {_round(limit / 4):g}",
        weight=0.9,
    )


def _is_adaptive(training: Recovered) -> bool:
    seen = training.stretch.optimizers
    return bool(seen) and seen[0].kind in ADAPTIVE


def _round(value: float) -> float:
    """One digit, downwards: a rate that a person would write."""
    if value <= 0 or not math.isfinite(value):
        return value
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.floor(value / unit) * unit:.1g}")
