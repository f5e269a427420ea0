"""A sigmoid goes into a loss that computes the sigmoid itself.

## What it finds

Values between 0 and 1, made by a sigmoid (or a softmax) on the way, that are given to `nn.BCEWithLogitsLoss` or another
logistic loss of raw scores, by whatever name or written by hand.

## Why it matters

A probability in (0, 1) taken for a score becomes a probability in (0.5, 0.73): no row can be called negative, a
negative one costs at least log 2 = 0.693 and a positive one at least 0.313.

## Example

```python
p = torch.sigmoid(model(X))
loss = nn.BCEWithLogitsLoss()(p, y)
```

## Instead

```python
loss = nn.BCEWithLogitsLoss()(model(X), y)
p = torch.sigmoid(model(X))                 # for looking at
```

## How sure

Certain: the range of the values and the rest of the loss are both measured. Scores that merely happen to be small are
not counted; something must hold them between 0 and 1.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import by_row, classification, made_at, stages, tried_with
from sightline.losses import Logistic

NEGATIVE, POSITIVE = math.log(2), math.log(1 + math.exp(-1))  # least losses of a row


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A stage with values in [0, 1] from which on the loss is the logistic loss of scores."""
    if training.recognised is not None:
        return None
    for stage in stages(training)[1:]:
        if stage.link.within_unit and stage.recognised is not None and isinstance(stage.recognised.loss, Logistic):
            break
    else:
        return None
    known, y = stage.recognised, stage.y.double()
    positive = float(y.mean())
    floor = positive * POSITIVE + (1 - positive) * NEGATIVE
    tried = None
    loss = Logistic() if training.linear is not None and training.linear.outputs == 1 else classification(training)
    if loss is not None and training.rows is not None:
        weights = by_row(stage, training.rows.n, known.shares)
        tried = tried_with(
            training, evidence, loss, "the raw scores given to the loss", factor=known.factor, row_weights=weights
        )
    return Finding(
        rule="sigmoid-before-bce-with-logits",
        severity=Severity.ERROR,
        what="a sigmoid is applied before a loss that applies its own: its inputs all lie in [0, 1], so a negative"
        f" costs at least {NEGATIVE:.3f}, a positive {POSITIVE:.3f}, and the mean cannot fall below {floor:.3f}",
        where=made_at(training, stage, evidence),
        measured=Number(floor, "least mean loss"),
        bound=Number(0.0, "least mean loss with raw scores"),
        why="The loss takes probabilities for scores: 0 becomes one half, 1 becomes 0.73. No row can be told no.",
        fix="# leave the sigmoid out of what goes into the loss\nloss = criterion(scores, target)",
        tried=tried,
        weight=1.0,
    )
