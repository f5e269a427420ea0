"""The sign is wrong: the training makes the data less likely, or the error larger.

## What it finds

A loss that is the negative of a known one and is minimised, or a known one that the updates climb: a log-likelihood
without its minus, `w += lr * w.grad`. The sign of the loss and the direction of the first step are both measured.

## Why it matters

Each step goes away from the right answer, for ever: there is no largest error.

## Example

```python
loss = (y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()      # the log-likelihood
loss.backward()
optimizer.step()
```

## Instead

```python
loss = -(y * F.logsigmoid(z) + (1 - y) * F.logsigmoid(-z)).mean()
```

## How sure

Certain: what is minimised is compared number by number with known losses and their negatives. A likelihood that is
maximised on purpose, by `maximize=True` or by adding its gradient, has both signs turned and is not counted.
"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.soft import soft_cross_entropy
from sightline.check.rules._climbing import STRAIGHT, climb
from sightline.check.rules._probing import (
    Stage,
    classification,
    coded,
    labels,
    log_loss_of_probabilities,
    recognised,
    stages,
    tried_with,
)  # fmt: skip
from sightline.check.trying import attempt
from sightline.losses import Loss

PROBES = (-2.0, -0.5, 0.0, 0.5, 2.0)


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A known loss that is climbed, or the negative of one that is descended."""
    here = stages(training)
    if not here:
        return None
    cosine = climb(training)
    up = cosine is not None and cosine > STRAIGHT
    if up and (training.recognised is not None or training.soft is not None):
        tried = None
        if evidence.attempt:
            tried = attempt(training, training.minimised, "the same steps with the other sign", own_recipe=False)
        return _finding(
            "the updates add the gradient: the first step makes the loss larger", evidence.optimizer_line(training),
            Number(cosine, "cosine of the first step with the gradient"), Number(-1.0, "of a descent"),
            "w -= lr * w.grad      # an optimizer: without maximize=True", tried,
        )  # fmt: skip
    if up or training.recognised is not None or training.soft is not None:
        return None
    turned = _negative_of(here)
    if turned is None:
        return None
    name, loss, factor = turned
    tried = None
    loss = classification(training) if loss is None else loss
    if loss is not None and coded(training, loss) is not None:
        tried = tried_with(training, evidence, loss, "the loss with the other sign", factor=factor)
    slope = _slope_of_truth(training, here[0])
    return _finding(
        f"what is minimised is the negative of a {name} loss: every step makes it larger", evidence.loss_line(training),
        Number(slope, "mean derivative in the true class's score"), Number(0.0, "largest that a loss has"),
        "loss = -loss", tried,
    )  # fmt: skip


def _negative_of(here: list[Stage]) -> tuple[str, Loss | None, float] | None:
    """(name, loss, factor) of the loss whose negative the scores' is; None where it is none's."""
    first, last = here[0], here[-1]

    def negative(z: Tensor, y: Tensor) -> Tensor:
        return -first.function(z, y)

    known = recognised(negative, first.y, first.shape)
    if known is not None:
        return known.loss.name, known.loss, known.factor
    if log_loss_of_probabilities(last, sign=-1.0) and last.link.within_unit:
        return "log", None, 1.0
    if len(first.shape) == 2 and first.shape[1] > 1:
        with contextlib.suppress(Exception):
            if soft_cross_entropy(negative, first.y, (first.shape[0], first.shape[1]), first.which) is not None:
                return "cross-entropy", None, 1.0
    return None


def _slope_of_truth(training: Recovered, stage: Stage) -> float | None:
    """Mean derivative in the true class's score over scores of several sizes; None for targets that are no classes."""
    classes = labels(training)
    slopes = [stage.slope(torch.full(stage.shape, z, dtype=torch.float64)) for z in PROBES]
    mean = torch.stack(slopes).mean(0).reshape(stage.shape[0], -1)
    if classes is None or bool((classes < 0).any()):
        return None
    mine = classes[stage.which]
    if mean.shape[1] > 1:
        return float(mean.gather(1, mine.clamp(max=mean.shape[1] - 1)[:, None]).sum())
    sign = torch.where(mine == mine.max(), 1.0, -1.0).double()
    return float((mean[:, 0] * sign).sum())


def _finding(
    what: str, where: Place | None, measured: Number, bound: Number, fix: str, tried: Tried | None
) -> Finding:
    return Finding(
        rule="loss-sign-flipped", severity=Severity.ERROR, what=what, where=where, measured=measured, bound=bound,
        why="The training goes away from the right answer with every step. A loss is to be made small, a"
        " likelihood large.",
        fix=fix, tried=tried, weight=1.0,
    )  # fmt: skip
