"""A loss of margins is given labels other than -1 and +1.

## What it finds

A hinge, squared hinge or logistic loss of y * score whose labels y are 0 and 1, or 1 and 2.

## Why it matters

The label is the sign by which the score is multiplied. A row of label 0 costs the same whatever the weights and has no
gradient, so one class alone is seen, and a bias satisfies it.

## Example

```python
loss = torch.clamp(1 - y * model(X), min=0).mean()             # y is 0 or 1
```

## Instead

```python
sign = 2 * y - 1
loss = torch.clamp(1 - sign * model(X), min=0).mean()
```

## How sure

Certain: given -1 and +1 the recorded loss is a loss of margins, and the labels that it was given are not these.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import recognised, signs, stages, tried_with, two_values
from sightline.losses import Hinge, Logistic, SquaredHinge


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Two labels, with -1 and +1 in whose place the loss is one of margins."""
    values = two_values(training.y)
    if training.recognised is not None or not values or values == [-1.0, 1.0] or training.y is None:
        return None
    here = stages(training)
    sign = signs(training.y)
    if not here or sign is None:
        return None
    kind = training.y.dtype if training.y.dtype.is_floating_point else torch.float64
    rest = training.loss_of_scores(target=sign.reshape(training.y.shape).to(kind))
    known = None if rest is None else recognised(rest[0], rest[1], rest[2])
    if known is None or not isinstance(known.loss, Hinge | SquaredHinge | Logistic):
        return None
    slope = here[0].slope(torch.linspace(-3, 3, here[0].which.numel(), dtype=torch.float64).reshape(here[0].shape))
    still = float((slope == 0).double().mean()) if values[0] == 0 else 0.0
    shown = ", ".join(f"{v:g}" for v in values)
    at_zero = f": {100 * float((sign < 0).double().mean()):.3g} % of the rows have label 0 and no gradient at all"
    return Finding(
        rule="hinge-labels-not-pm1",
        severity=Severity.ERROR,
        what=f"the {known.loss.name} loss multiplies scores by labels, which are {shown} instead of -1, 1"
        + (at_zero if values[0] == 0 and still > 0 else ": all scores are pulled the same way"),
        where=evidence.loss_line(training),
        measured=Number(values[0], "lower label"),
        bound=Number(-1.0, "lower label of a loss of margins"),
        why="The label is the sign that the score should have. With a label of 0 a row costs the same whatever its"
        " score.",
        fix="sign = 2 * y - 1      # -1 and +1 instead of 0 and 1" if values == [0.0, 1.0] else
        f"sign = torch.where(y == {values[1]:g}, 1.0, -1.0)",
        tried=tried_with(training, evidence, known.loss, "labels of -1 and +1", factor=known.factor, y=sign),
        weight=1.0,
    )  # fmt: skip
