"""An activation on the last layer cuts off what the targets need.

## What it finds

A ReLU, a clamp, a sigmoid or a softmax of one column between the scores and the loss, where its range does not hold the
targets, or where rows that are wrong get no gradient because the activation is flat there.

## Why it matters

No weights can give a value outside of the range. Where all scores of an output are on the flat side, its gradient is
exactly zero and it never moves again.

## Example

```python
model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
loss = nn.MSELoss()(model(X), celsius)                 # celsius below zero
```

## Instead

```python
model = nn.Linear(2, 1)
loss = nn.MSELoss()(model(X), celsius)
```

## How sure

Certain: the range is measured at scores of any size, and so is the share of the loss's pull that the flat side
swallows. A ReLU before targets that are not negative, whose rows are on its open side, is not counted.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import Stage, classification, coded, made_at, stages, tried_with
from sightline.losses import Huber, Loss, Quantile, Squared

SWALLOWED = 0.05  # share of the pull on the values that no weight feels
OUT_OF_RANGE = 0.02  # share of targets that the activation cannot give


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A stage of an activation that keeps the targets out or the gradient back."""
    here = stages(training)
    for stage in here[1:]:
        link, known = stage.link, stage.recognised
        distance = known is not None and isinstance(known.loss, Squared | Huber | Quantile)
        bounded = math.isfinite(link.low) and (link.kind in ("relu", "clamp", "sigmoid", "tanh", "softmax"))
        if link.constant and math.isfinite(link.high):
            words = "no weights change it, it is the same number for any scores"
            return _finding(training, evidence, stage, 1.0, words)
        if distance and bounded:
            y = stage.y.double()
            slack = 1e-6 * (1 + link.high - link.low) if link.high < 2 else 1e-9
            out = float(((y < link.low - slack) | ((y > link.high + slack) & (link.high < 2))).double().mean())
            if out > OUT_OF_RANGE:
                words = f"{100 * out:.3g} % of the targets lie outside of what it can give"
                return _finding(training, evidence, stage, out, words)
        if link.kind in ("relu", "clamp") and (known is not None or stage.cross_entropy):
            swallowed, flat = _swallowed(training, here[0], stage)
            if swallowed > SWALLOWED:
                words = (
                    f"{100 * flat:.3g} % of its values are on the flat side, where rows that are wrong get no"
                    " gradient"
                )
                return _finding(training, evidence, stage, swallowed, words)
    return None


def _swallowed(training: Recovered, first: Stage, stage: Stage) -> tuple[float, float]:
    """(share of the loss's pull on the stage's values that is lost on the flat side, share of values there)."""
    worst = (0.0, 0.0)
    for weights in (training.weights, training.start):
        z, v = training.z(weights), training.value(stage.slot, weights)
        if z is None or v is None or not bool(torch.isfinite(z).all()):
            continue
        values = v.double().cpu()[stage.which].reshape(stage.shape)
        flat = _flat(z[stage.which].reshape(first.shape), values, stage)
        pull = stage.slope(values).abs()
        total = float(pull.sum())
        if total > 0:
            return float(pull[flat].sum()) / total, float(flat.double().mean())
    return worst


def _flat(z: Tensor, values: Tensor, stage: Stage) -> Tensor:
    below = z.reshape(values.shape) < stage.link.low
    above = (z.reshape(values.shape) > stage.link.high) if stage.link.kind == "clamp" else torch.zeros_like(below)
    return below | above


def _finding(training: Recovered, evidence: Evidence, stage: Stage, share: float, words: str) -> Finding:
    known = stage.recognised
    loss: Loss | None = None if known is None else known.loss
    if loss is None or coded(training, loss) is None:
        loss = classification(training)
    tried = None
    if loss is not None:
        factor = 1.0 if known is None else known.factor
        tried = tried_with(training, evidence, loss, "the same loss of the raw scores", factor=factor)
    name = stage.link.kind or "activation"
    high = f"{stage.link.high:.3g}" if stage.link.high < 2 else "any number"
    return Finding(
        rule="dead-output-activation",
        severity=Severity.ERROR,
        what=f"the {name} after the last layer gives {stage.link.low:.3g} to {high}: {words}",
        where=made_at(training, stage, evidence),
        measured=Number(share, "share of what the loss asks for that is cut off"),
        bound=Number(SWALLOWED, "share that leaves the result alone"),
        why="What lies outside of the activation's range cannot be predicted by any weights, and where it is flat"
        " no row can"
        " move them.",
        fix=f"# leave the {name} out after the last layer\nprediction = linear(x)",
        tried=tried,
        weight=0.9,
    )
