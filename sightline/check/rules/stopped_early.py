"""The training was still on its way when it ended: the same recipe with more steps gets there.

## What it finds

The end is far from the certified optimum, and nothing else explains it: the learning rate is stable, the loss still
falls. The rule says how many steps the same recipe needs, from the eigenvalues at the optimum.

## Why it matters

A loss that is still falling says nothing of how far there is to go. The optimum does.

## Example

```python
for epoch in range(10):
    step()
```

## Instead

```python
for epoch in range(1000):
    step()
```

## How sure

The distance is proven by the certificate. The number of steps is that of the quadratic that the loss is near its
optimum, exact for the squared loss with all rows in each step.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import ACCURACY, ADAPTIVE, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt, relative
from sightline.check.verdict import above

GRAVE = 0.1  # gap from which it is more than advice,
OF_NULL = 0.05  # and for classes so much of the best constant's loss
MANY = 20_000  # steps that nobody should wait for
QUICKER = 'optimizer = torch.optim.LBFGS(parameters, line_search_fn="strong_wolfe")    # or sl.fit(X, y)'


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The gap, and whether the loss was still falling."""
    here = progress(training)
    if here is None or here.no_minimum or not here.far or here.diverged:
        return None
    if here.descent and here.highest_lr is not None and here.limit is not None and here.highest_lr > here.limit:
        return None
    if not _falling(training):
        return None
    needed = here.steps_needed if here.descent else None
    if here.kind in ADAPTIVE and here.distance is not None and here.lr:
        needed = max(3 * here.distance / here.lr, 2.0 * here.steps)
    more = None if needed is None or not math.isfinite(needed) or needed <= here.steps else math.ceil(needed * 1.5)
    gap = relative(here.excess, here.end, here.null)
    share = f"{above(gap)} above the optimum"
    right, could_be = here.accuracies
    lower = right is not None and could_be is not None and right < could_be - ACCURACY
    # Where classes are nearly separated the optimum is next to nothing, and a multiple of it still is.
    grave = gap > GRAVE and (not here.of_classes or here.excess > OF_NULL * here.null)
    many = more is not None and more > MANY
    tried = None
    if evidence.attempt:
        what = "the problem taken to its optimum" if many or not more else f"the same recipe for {more:,} steps"
        tried = attempt(training, here.problem, what, steps=more, own_recipe=not many and more is not None)
    return Finding(
        rule="stopped-early",
        severity=Severity.WARNING if grave or lower else Severity.ADVICE,
        what=f"stopped after {here.steps:,} steps with the loss still falling, {share}",
        where=evidence.place(training.stretch.at),
        measured=Number(here.steps, "steps", f"{here.steps:,}"),
        bound=Number(more, "steps needed", f"{more:,}") if more else Number(gap, "gap relative to the optimum"),
        why="The certified optimum is far below the last loss. More steps of the same kind lead there.",
        fix=f"for step in range({more}):" if more and not many else QUICKER,
        tried=tried,
        weight=0.5,
    )


def _falling(training: Recovered) -> bool:
    """Whether the loss on all rows fell over the last quarter of the path, by more than it swings."""
    path = training.stretch.path
    if len(path) < 4:
        return True
    late = path[-max(len(path) // 4, 3) :]
    try:
        picked = [late[0], late[len(late) // 2], late[-1]]
        values = [training.loss(training.at(weights)) for _, weights in picked]
    except Exception:
        return True
    return all(math.isfinite(v) for v in values) and values[0] > values[1] > values[2]
