"""The loss is given targets and predictions in each other's place.

## What it finds

A loss that becomes a known one when what it was given as prediction and as target change places: `bce(y, p)`,
`cross_entropy(labels, scores)`; and one that becomes a known one when 1 - y is put for y.

## Why it matters

The logarithm is then taken of the labels, where it is cut off at -100 or does not exist. What is left is another
loss, often without a minimum.

## Example

```python
loss = nn.BCELoss()(y, model(X))
```

## Instead

```python
loss = nn.BCELoss()(model(X), y)
```

## How sure

Certain: the loss is computed with both in each other's place. Losses that do not mind, as the squared error, are not
counted.
"""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.soft import soft_cross_entropy
from sightline.check.rules._probing import Stage, classification, labels, stages, tried_with
from sightline.losses import Poisson

INSIDE = (0.15, 0.4, 0.75)
CLOSE = 1e-6


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A loss that is a known one of (target, prediction)."""
    if training.recognised is not None or training.soft is not None:
        return None
    here = stages(training)
    if not here:
        return None
    stage = here[-1]
    if stage.y.numel() != math.prod(stage.shape) or not stage.y.is_floating_point():
        return None
    name = _swapped(stage)
    if name is None:
        return None
    loss = Poisson() if name == "Poisson" else classification(training)
    labelled = labels(training) is not None
    tried = None if loss is None else tried_with(training, evidence, loss, "prediction first, target second")
    return Finding(
        rule="loss-targets-flipped",
        severity=Severity.ERROR,
        what=f"prediction and target are in each other's place: with the two exchanged it is the {name} loss, as"
        " it stands"
        " the logarithm is taken of the " + ("labels" if labelled else "targets"),
        where=evidence.loss_line(training),
        measured=Number(None, "first argument of the loss", "the targets, without a gradient"),
        bound=Number(None, "it should be", "the model's output"),
        why="PyTorch's losses take (prediction, target). The other way round, labels are taken for predictions,"
        " and what is"
        " left for the weights is another loss.",
        fix="loss = criterion(prediction, target)",
        tried=tried,
        weight=1.0,
    )


def _swapped(stage: Stage) -> str | None:
    """The name of the loss that the rest is with its arguments exchanged; None where it is none, or does not mind."""
    y = stage.y.double().reshape(stage.shape)

    def exchanged(prediction: Tensor, target: Tensor) -> Tensor:
        return stage.function(target.reshape(-1, *stage.shape[1:]), prediction.reshape(-1, *stage.shape[1:]))

    with contextlib.suppress(Exception):
        if bool((y >= 0).all()) and bool((y <= 1).all()) and _log_loss(exchanged, y):
            return "log"
    with contextlib.suppress(Exception):
        if len(stage.shape) == 2 and stage.shape[1] > 1:
            shape = (stage.shape[0], stage.shape[1])
            if soft_cross_entropy(exchanged, y, shape, stage.which) is not None:
                return "cross-entropy"
    with contextlib.suppress(Exception):
        if bool((y >= 0).all()) and _poisson(exchanged, y):
            return "Poisson"
    return None


def _slopes(function: object, values: Tensor, y: Tensor) -> Tensor:
    leaf = values.clone().requires_grad_()
    with torch.enable_grad():
        (made,) = torch.autograd.grad(function(leaf, y), leaf)  # type: ignore[operator]
    return made.double()


def _log_loss(function: object, y: Tensor) -> bool:
    """Whether the derivative is w (p - y) / (p (1 - p)), or w (sigmoid(p) - y)."""
    for scores in (False, True):
        weights = []
        for p in INSIDE:
            values = torch.full_like(y, p)
            away = (torch.sigmoid(values) - y) if scores else (values - y) / (values * (1 - values))
            weights.append(_slopes(function, values, y) / away)
        first = weights[0]
        if bool((first > 0).all()) and all(float((w / first - 1).abs().max()) < 1e-4 for w in weights):
            return True
    return False


def _poisson(function: object, y: Tensor) -> bool:
    """Whether the derivative is w (exp(z) - y)."""
    weights = []
    for z in INSIDE:
        values = torch.full_like(y, z)
        weights.append(_slopes(function, values, y) / (values.exp() - y))
    first = weights[0]
    return bool((first > 0).all()) and all(float((w / first - 1).abs().max()) < 1e-4 for w in weights)
