"""The squared error of a sigmoid or softmax is minimised for labels.

## What it finds

A squashing call (sigmoid, softmax, tanh) before a squared, Huber or absolute error, where all targets are the ends of
its range: labels 0 and 1, one-hot rows, -1 and +1.

## Why it matters

The sum is not convex in the weights, and its gradient carries the factor p (1 - p): where the model is sure and
wrong, the gradient vanishes and nothing is learned. With the log loss the same factor cancels.

## Example

```python
p = torch.sigmoid(model(X))
loss = nn.MSELoss()(p, y)
```

## Instead

```python
loss = nn.BCEWithLogitsLoss()(model(X), y)
```

## How sure

Certain about what is computed; it may still end well from a small start. The squared error of a linear score (a linear
probability) is convex and not counted, nor is one that is only printed.
"""

from __future__ import annotations

import math

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import Huber, classification, made_at, stages, tried_with
from sightline.losses import Quantile, Squared

WRONG = 0.99  # probability of the wrong class at which gradients are compared


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A squashing stage from which on the loss is a distance to targets at the ends of its range."""
    if training.recognised is not None:
        return None
    for stage in stages(training)[1:]:
        link, known = stage.link, stage.recognised
        bounded = math.isfinite(link.low) and math.isfinite(link.high) and link.kind != "clamp" and not link.constant
        if not bounded or known is None or not isinstance(known.loss, Squared | Huber | Quantile):
            continue
        y = stage.y.double()
        size = link.high - link.low
        ends = ((y - link.low).abs() < 1e-6 * size) | ((y - link.high).abs() < 1e-6 * size)
        if link.high < 2 and bool(ends.all()):
            break
    else:
        return None
    loss = classification(training)
    tried = None if loss is None else tried_with(training, evidence, loss, "the log loss of the raw scores")
    stuck = None
    if stage.made is not None and bool(torch.isfinite(stage.made).all()) and training.y is not None:
        away = (stage.made - training.y.double().reshape(stage.made.shape)).abs() / size
        stuck = float((away > WRONG).double().mean())
    factor = 8 * WRONG**2 * (1 - WRONG)  # p² (1 - p) over its value at one half
    shown = "" if not stuck else f"; {100 * stuck:.3g} % of them stand there now"
    return Finding(
        rule="mse-on-sigmoid",
        severity=Severity.WARNING,
        what=f"a {known.loss.name} error is taken of a {link.kind or 'squashed score'}: for rows that are sure and"
        f" wrong its gradient vanishes (to {100 * factor:.2g} % at 0.99 of the way){shown}",
        where=made_at(training, stage, evidence),
        measured=Number(factor, "gradient at probability 0.99 over that at 0.5"),
        bound=Number(1.98, "the same for the log loss"),
        why="The sum is not convex in the weights and goes flat where a row is wrong for sure. The log loss of the"
        " same scores is convex and pulls hardest there.",
        fix="loss = nn.functional.binary_cross_entropy_with_logits(scores, target)  # or cross_entropy",
        tried=tried,
        weight=0.6,
    )
