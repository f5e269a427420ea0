"""Probabilities go into a cross-entropy that makes probabilities of them once more.

## What it finds

Values between 0 and 1, made by a softmax (or sigmoids) on the way, that are given to a loss which computes its own
softmax: `nn.CrossEntropyLoss`, or the same written by hand. The rule varies the numbers at each step between the
scores and the loss and sees what the rest of the loss computes.

## Why it matters

Scores between 0 and 1 cannot differ by more than 1, so of K classes none gets more than e / (e + K - 1) of the
probability. The loss cannot fall below log(e + K - 1) - 1, its gradient is squashed, and the problem is no longer
convex.

## Example

```python
model = nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1))
loss = nn.CrossEntropyLoss()(model(X), y)
```

## Instead

```python
model = nn.Linear(4, 3)
loss = nn.CrossEntropyLoss()(model(X), y)
probabilities = torch.softmax(model(X), dim=1)      # for looking at, not for the loss
```

## How sure

Certain: the range of the values and the rest of the loss are both measured. A softmax outside the loss, and a
`log_softmax` before it (which changes nothing), are not counted.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import by_row, made_at, stages, tried_with
from sightline.losses import Softmax


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A stage with values in [0, 1] from which on the loss is the cross-entropy of scores."""
    if training.recognised is not None or training.soft is not None:
        return None
    for stage in stages(training)[1:]:
        if stage.link.within_unit and stage.cross_entropy:
            break
    else:
        return None
    outputs = stage.shape[1]
    floor = math.log(math.e + outputs - 1) - 1 if stage.link.simplex else math.log(1 + (outputs - 1) / math.e)
    known = stage.recognised
    weights = None if known is None or training.rows is None else by_row(stage, training.rows.n, known.shares)
    tried = tried_with(
        training, evidence, Softmax(), "the raw scores given to the cross-entropy",
        factor=1.0 if known is None else known.factor, row_weights=weights,
    )  # fmt: skip
    made = "rows that sum to 1" if stage.link.simplex else "numbers from 0 to 1"
    return Finding(
        rule="softmax-before-cross-entropy",
        severity=Severity.ERROR,
        what=f"the cross-entropy is given probabilities ({made}) and makes probabilities of them once more: of"
        f" {outputs} classes it cannot fall below {floor:.3g} for any row",
        where=made_at(training, stage, evidence),
        measured=Number(floor, "least loss of a row"),
        bound=Number(0.0, "least loss of a row with raw scores"),
        why="The loss computes the softmax itself. Given numbers between 0 and 1 it can never be sure of a class, and"
        " its gradient hardly moves the weights.",
        fix="# leave the softmax out of what goes into the loss\nloss = criterion(scores, target)",
        tried=tried,
        weight=1.0,
    )
