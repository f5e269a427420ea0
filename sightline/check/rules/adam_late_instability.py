"""Adam reached a far lower loss earlier, then burst: near the optimum its steps do not shrink.

## What it finds

The lowest loss on the way beside the highest of the last quarter, where every step saw all rows and the learning rate
was constant. Adam divides by the size of recent gradients; where these have all but vanished, one small gradient
makes a step of the full learning rate again (Reddi, Kale and Kumar 2018).

## Why it matters

The weights that the training ends with are a matter of luck: those of some steps before may be orders of magnitude
better.

## Example

```python
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
for step in range(5000):             # converged at step 900, bursts at 2,000
    ...
```

## Instead

```python
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.998)
```

## How sure

The losses are the script's own. It speaks where the rise is more than a thousandfold and matters beside the loss of
the best constant.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.rows import WHOLE
from sightline.check.trying import attempt

RISE = 1e3
OF_NULL = 1e-5  # of the best constant's loss: less is not worth a word
OF_OPTIMUM = 0.02  # and of the optimum
KINDS = ("Adam", "AdamW", "NAdam", "RAdam", "Adamax", "RMSprop")


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Lowest loss early against the highest late."""
    here = progress(training)
    if here is None or here.kind not in KINDS or training.rows is None or training.rows.how != WHOLE:
        return None
    stretch = training.stretch
    losses = [x if math.isfinite(x) else math.inf for x in stretch.losses]
    if len(losses) < 50 or here.no_minimum:
        return None
    late_from = 3 * len(losses) // 4
    optimum = here.problem.factor * here.best
    lowest_at = min(range(late_from), key=losses.__getitem__)
    lowest, worst = losses[lowest_at] - optimum, max(losses[late_from:]) - optimum
    null = here.problem.factor * here.null
    if worst < RISE * max(lowest, 1e-300) or worst < OF_NULL * null + OF_OPTIMUM * optimum:
        return None
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, "the problem taken to its optimum", own_recipe=False)
    step = stretch.loss_at[lowest_at]
    lr = here.lr or 0.0
    return Finding(
        rule="adam-late-instability",
        severity=Severity.WARNING,
        what=f"the loss was {losses[lowest_at]:.2g} at step {step:,} and rose to {worst + optimum:.2g} later, at a"
        " constant"
        f" learning rate of {lr:g}",
        where=evidence.optimizer_line(training),
        measured=Number(worst + optimum, "highest late loss"),
        bound=Number(losses[lowest_at], "lowest loss before"),
        why=f"{here.kind} divides each step by the size of recent gradients; when these have all but vanished, a"
        " small one"
        " makes a full step again. Let the learning rate fall towards the end.",
        fix="scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.998)    # scheduler.step() after each"
        " step",
        tried=tried,
        weight=0.8,
    )
