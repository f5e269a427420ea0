"""The hinge loss of distances is used for scores.

## What it finds

`nn.HingeEmbeddingLoss`, or the same by hand, on signed scores: for label +1 it is the score itself, for -1 it is
max(0, 1 - score).

## Why it matters

It is made for distances, which should be small for pairs that belong together (+1). It pushes the scores of the
positive rows down without end, the reverse of a classifier.

## Example

```python
loss = nn.HingeEmbeddingLoss()(model(X).squeeze(1), y)
```

## Instead

```python
loss = torch.clamp(1 - y * model(X).squeeze(1), min=0).mean()
```

## How sure

Certain: the derivative in the score is measured for both labels. Scores that are never negative are taken for
distances and not counted.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import Stage, stages, tried_with, two_values
from sightline.losses import Hinge

PROBES = (-50.0, -3.0, 0.01, 1e4)  # scores of all rows
CLOSE = 1e-6


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Positive rows that are pulled down at any score, negative ones that are pushed up to a margin."""
    if training.recognised is not None or two_values(training.y) != [-1.0, 1.0]:
        return None
    here = stages(training)
    if not here or here[-1].link.kind != "identity" or not _of_distances(here[-1]):
        return None
    stage = here[-1]
    negative = _share_below_zero(training)
    if negative == 0:
        return None
    factor = float(stage.slope(torch.zeros(stage.shape, dtype=torch.float64)).abs().sum())
    return Finding(
        rule="hinge-embedding-as-hinge",
        severity=Severity.ERROR,
        what="the loss is the hinge loss of distances: it is the score itself for label +1, so the scores of"
        " positive rows"
        f" are pushed down; {100 * negative:.3g} % of the scores are negative, which no distance is",
        where=evidence.loss_line(training),
        measured=Number(1.0, "derivative for a positive row, over its weight"),
        bound=Number(0.0, "largest derivative for a positive row of a hinge loss"),
        why="HingeEmbeddingLoss wants small values for +1 and large ones for -1. A classifier's scores should be"
        " the other way"
        " round.",
        fix="loss = torch.clamp(1 - target * scores, min=0).mean()",
        tried=tried_with(training, evidence, Hinge(), "the hinge loss max(0, 1 - y · score)", factor=factor),
        weight=1.0,
    )


def _of_distances(stage: Stage) -> bool:
    y = stage.y.double().reshape(-1)
    if y.numel() != stage.which.numel():
        return False
    try:
        slopes = [stage.slope(torch.full(stage.shape, z, dtype=torch.float64)).reshape(-1) for z in PROBES]
    except (RuntimeError, ValueError):  # a loss that refuses such scores
        return False
    size = float(slopes[0].abs().max())
    up = [s[y > 0] for s in slopes]
    down = [s[y < 0] for s in slopes]
    same = all(bool((s > 0).all()) and float((s - up[0]).abs().max()) <= CLOSE * size for s in up)
    pushed = all(bool((s < 0).all()) for s in down[:3])
    return same and pushed and bool((down[3].abs() <= CLOSE * size).all())


def _share_below_zero(training: Recovered) -> float:
    """Largest share of scores below zero, at the start, at the end and along the way."""
    worst = 0.0
    for weights in (training.start, training.weights, *(training.at(w) for _, w in training.stretch.path[:20])):
        z = training.z(weights)
        if z is not None and bool(torch.isfinite(z).all()):
            worst = max(worst, float((z < -CLOSE * (1 + z.abs().max())).double().mean()))
    return worst
