"""The learning rate is so small that so many steps cannot bridge the way to the optimum.

## What it finds

Gradient descent shrinks the error along a direction of curvature λ by 1 - lr λ a step; Adam and its kin move each
weight by at most about lr a step. From the eigenvalues at the optimum, or from the distance to it, follows what the
learning rate could reach in the steps that were made, and what the best stable one would have.

## Why it matters

The loss looks as if it had converged, since it hardly changes from step to step, but the weights are where they
began.

## Example

```python
optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
for epoch in range(1000):            # no weight moves by more than 0.01
    ...
```

## Instead

```python
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
```

## How sure

The rule speaks where the end is far from the certified optimum, the same recipe would need more than ten times the
steps, and a larger, stable rate would have been there.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import ADAPTIVE, Progress, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

MORE_STEPS = 10  # times as many would be needed,
MANY = 10_000  # and so many at least: fewer a person would just make
UNSCALED = 1e3  # condition number from which scaling can matter
LARGER = 3  # times as large a rate would do


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """What lr could reach in the steps made, against what there was to go."""
    here = progress(training)
    if here is None or not here.far or here.diverged or here.lr is None or here.no_minimum or here.steps < 2:
        return None
    if here.kind in ADAPTIVE:
        return _adaptive(here, training, evidence)
    if not here.descent or here.best_rate is None or here.limit is None:
        return None
    excess, best = here.best_rate
    lr = here.lr
    needed = here.steps_needed
    if needed is None or needed <= max(MORE_STEPS * here.steps, MANY) or best < LARGER * lr or lr > here.limit:
        return None
    if here.is_far(excess) and not excess < 0.1 * here.excess:
        return None  # no rate would have been there: the columns, not the rate
    better = float(f"{best:.1g}")
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, f"the same recipe with lr={better:g}", lr=better)
    highest = here.highest_lr or lr
    falling = f" (the schedule lets it fall from {highest:g})" if highest > 2 * lr else ""
    times = "no number of steps" if math.isinf(needed) else f"{needed:,.0f} steps"
    return Finding(
        rule="lr-too-low",
        severity=Severity.WARNING,
        what=f"learning rate {lr:.3g}{falling} would need {times} to get there, {here.steps:,} were made; up to"
        f" {here.limit:.2g}"
        " is"
        " stable",
        where=evidence.optimizer_line(training),
        measured=Number(lr, "learning rate"),
        bound=Number(best, "best rate for these steps"),
        why=f"Each step shrinks the error by at most {100 * lr * 2 / here.limit:.2g} %. The loss seems settled"
        " because it"
        " barely moves.",
        fix=f"lr = {better:g}",
        tried=tried,
        weight=0.8,
    )


def _adaptive(here: Progress, training: Recovered, evidence: Evidence) -> Finding | None:
    way, lr = here.distance, here.lr
    if way is None or lr is None:
        return None
    travel = lr * here.steps
    scaled = here.distance_standardised
    if scaled is not None and 2 * travel > scaled and (here.condition or 1.0) > UNSCALED:
        return None  # on standardised columns it would have been there: the columns, not the rate
    if travel * MORE_STEPS >= way and not (travel < 0.5 * way and lr < 1e-3 * way / MORE_STEPS):
        return None
    better = float(f"{max(10 * way / here.steps, lr):.1g}")
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, f"the same recipe with lr={better:g}", lr=better)
    return Finding(
        rule="lr-too-low",
        severity=Severity.WARNING,
        what=f"{here.kind} with learning rate {lr:g} moves a weight by at most {travel:.2g} in {here.steps:,} steps;"
        " the"
        f" optimum is {way:.3g} away",
        where=evidence.optimizer_line(training),
        measured=Number(travel, "lr times steps"),
        bound=Number(way, "distance to the optimum"),
        why=f"{here.kind} divides the gradient by its size, so a step is about lr long, however steep the loss is.",
        fix=f"lr = {better:g}",
        tried=tried,
        weight=0.8,
    )
