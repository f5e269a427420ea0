"""Class weights favour the class that is frequent already.

## What it finds

Weights of the classes that grow with their frequency: the frequencies themselves in place of their inverses,
`pos_weight` as positives over negatives, or a sampler that draws by frequency. The rule measures each class's weight
in the recorded loss, and how often its rows were drawn, and the power of the frequency that these follow.

## Why it matters

Weights are there to make a rare class count. Inverted, they make it count less than with no weights at all, and it is
never predicted.

## Example

```python
counts = torch.bincount(y).float()
criterion = nn.CrossEntropyLoss(weight=counts / counts.sum())
```

## Instead

```python
criterion = nn.CrossEntropyLoss(weight=counts.sum() / (len(counts) * counts))
```

## How sure

Likely: balanced weights follow the power -1, no weights 0, and inverted ones +1. Weights by costs that happen to
favour the frequent class are told from these where they do not follow its frequency.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import Stage, by_row, labels, stages, tried_with, two_values

POWER = (0.75, 1.3)  # of the frequency, around that of inverted weights, 1
UNEQUAL = 1.5  # most frequent over rarest class, from which on there is something to balance


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The power of the frequency that the classes' weights follow."""
    y = training.y
    rows = training.rows
    if y is None or rows is None or not stages(training):
        return None
    two = torch.tensor(two_values(y), dtype=torch.float64)
    classes = torch.searchsorted(two, y.double().reshape(-1)) if len(two) else labels(training)
    if classes is None or classes.numel() != rows.n or bool((classes < 0).any()):
        return None
    if int(classes.max()) >= rows.n:  # real numbers, not classes; a count of each would fill the memory
        return None
    count = torch.bincount(classes).double()
    if len(count) < 2 or bool((count == 0).any()) or len(count) > rows.n / 4:
        return None
    if float(count.max() / count.min()) < UNEQUAL:
        return None
    in_loss, stage = _weights(training)
    drawn = torch.zeros_like(count).index_add_(0, classes, rows.counts.double()) / count
    weight = torch.ones_like(count)
    if in_loss is not None:
        weight = torch.zeros_like(count).index_add_(0, classes, in_loss) / count
    both = weight * drawn
    power = _power(both, count)
    if not POWER[0] <= power <= POWER[1] or float(both.max() / both.min()) < UNEQUAL:
        return None
    rare, frequent = int(count.argmin()), int(count.argmax())
    ratio, wanted = float(both[frequent] / both[rare]), float(count[rare] / count[frequent])
    balanced = (count.sum() / (len(count) * count))[classes]
    loss = None if stage is None or stage.recognised is None else stage.recognised.loss
    known = training.recognised
    loss = known.loss if known is not None else loss
    tried = None
    if loss is not None:
        factor = 1.0 if known is None else known.factor
        tried = tried_with(
            training, evidence, loss, "weights inverse to the frequencies", factor=factor, row_weights=balanced
        )
    return Finding(
        rule="inverted-class-weights",
        severity=Severity.WARNING,
        what=f"the frequent class is favoured: class {frequent} has {int(count[frequent])} rows against"
        f" {int(count[rare])} of class {rare}, and a row of it counts {ratio:.3g} times as much",
        where=_place(training, evidence, drawn),
        measured=Number(ratio, "weight of a row of the frequent class over one of the rare"),
        bound=Number(wanted, "balanced"),
        why="The weights are the frequencies where their inverses are wanted. The rare class counts for less than"
        " with no"
        " weights at all.",
        fix="counts = torch.bincount(y).float()\nweight = counts.sum() / (len(counts) * counts)"
        "      # pos_weight: negatives / positives",
        tried=tried,
        weight=0.7,
    )  # fmt: skip


def _weights(training: Recovered) -> tuple[Tensor | None, Stage | None]:
    """Weight (n,) of each row in the loss, and the stage from which on that is known."""
    assert training.rows is not None
    for stage in stages(training):
        known = stage.recognised
        if known is not None and len(known.shares) == len(stage.which):
            return by_row(stage, training.rows.n, known.shares), stage
    return None, None


def _power(weight: Tensor, count: Tensor) -> float:
    """The exponent e of weight ∝ frequency^e, by least squares of the logarithms."""
    x, v = count.log(), weight.log()
    x, v = x - x.mean(), v - v.mean()
    spread = float((x * x).sum())
    return float((x * v).sum()) / spread if spread > 0 and bool(torch.isfinite(v).all()) else math.nan


def _place(training: Recovered, evidence: Evidence, drawn: Tensor) -> Place | None:
    if float(drawn.max() / drawn.min()) > UNEQUAL:
        return evidence.call("WeightedRandomSampler") or evidence.loss_line(training)
    return evidence.loss_line(training)
