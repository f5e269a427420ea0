"""A loss of probabilities is given raw scores.

## What it finds

Scores without bounds given to a loss that takes logarithms of p and 1 - p: `nn.BCELoss`, or `-(y * log(p) + (1 - y) *
log(1 - p))` by hand.

## Why it matters

`nn.BCELoss` stops with an error at the first score outside [0, 1]. The logarithm of a negative number is NaN; where the
scores are clamped instead, rows outside get no gradient.

## Example

```python
p = model(X)                                        # any real number
loss = -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
```

## Instead

```python
loss = nn.functional.binary_cross_entropy_with_logits(model(X), y)
```

## How sure

Certain: the rest of the loss is measured to be a log loss of probabilities, and the scores to leave [0, 1].
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import classification, log_loss_of_probabilities, stages, tried_with
from sightline.check.rules._refused import made_by, refused_by_bce

FIX = "loss = nn.functional.binary_cross_entropy_with_logits(scores, target)"
LINEAR = ("Addmm", "Mm", "Mv", "Add", "Matmul", "Bmm", "Dot", "Mul", "Sum", "Linear", "Sub")


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Scores, at most clamped, from which on the loss is the log loss of probabilities."""
    if training.recognised is not None:
        return None
    here = stages(training)
    if not here or here[-1].link.kind not in ("identity", "clamp") or not log_loss_of_probabilities(here[-1]):
        return None
    outside, least, most = _outside(training)
    if outside == 0:
        return None
    loss = classification(training)
    what = "the log loss of scores (a sigmoid before it)"
    tried = None if loss is None else tried_with(training, evidence, loss, what)
    return _finding(outside, least, most, evidence.loss_line(training), tried)


def find_in_script(evidence: Evidence) -> Finding | None:
    """``binary_cross_entropy`` refused what a linear layer made."""
    given = refused_by_bce(evidence)
    if given is None or not made_by(given, *LINEAR):
        return None
    share = float(((given < 0) | (given > 1)).double().mean())
    return _finding(share, float(given.min()), float(given.max()), evidence.where_it_failed, None)


def _outside(training: Recovered) -> tuple[float, float, float]:
    """(largest share of scores outside (0, 1) along the way, least and greatest score then)."""
    worst = (0.0, 0.0, 1.0)
    for weights in (training.start, training.weights, *(training.at(w) for _, w in training.stretch.path[:20])):
        z = training.z(weights)
        if z is None or not bool(torch.isfinite(z).all()):
            continue
        share = float(((z <= 0) | (z >= 1)).double().mean())
        if share > worst[0]:
            worst = (share, float(z.min()), float(z.max()))
    return worst


def _finding(outside: float, least: float, most: float, where: Place | None, tried: Tried | None) -> Finding:
    return Finding(
        rule="bce-on-raw-logits",
        severity=Severity.ERROR,
        what=f"a loss of probabilities is given raw scores: they range from {least:.3g} to {most:.3g}, and"
        f" {100 * outside:.3g} % of them are outside of 0 to 1",
        where=where,
        measured=Number(outside, "share of values outside [0, 1]"),
        bound=Number(0.0, "share that the loss can take"),
        why="The loss takes the logarithm of p and of 1 - p, which exist only between 0 and 1. A linear layer gives any"
        " number.",
        fix=FIX,
        tried=tried,
        weight=1.0,
    )
