"""The negative log-likelihood is given something other than log-probabilities.

## What it finds

A loss that picks the true class's value with a minus sign, as `nn.NLLLoss` does, whose rows of exp(value) do not sum
to 1 because no `log_softmax` over the classes came before: raw scores, probabilities, or a `log_softmax` over the
wrong dimension. Logarithms of raw scores count too.

## Why it matters

`NLLLoss` computes no logarithm; it only picks a number. Of raw scores it falls without end while all scores grow. Of
probabilities it is minus the mean probability of the true class, which hardly minds a row that is wrong for sure.

## Example

```python
loss = nn.NLLLoss()(model(X), y)        # model ends in a linear layer
```

## Instead

```python
loss = nn.CrossEntropyLoss()(model(X), y)
loss = nn.NLLLoss()(torch.log_softmax(model(X), dim=1), y)      # the same
```

## How sure

Certain: the derivative of the loss is measured at many values, and so are the sums of the rows.
"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import Stage, by_row, labels, made_at, stages, tried_with
from sightline.losses import Softmax

SIZES = (0.1, 1.0, 10.0)
CLOSE = 1e-6


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The value given to a loss that picks the true class's, where no log_softmax made it."""
    if training.recognised is not None or training.soft is not None:
        return None
    here = stages(training)
    classes = labels(training)
    if not here or classes is None or training.rows is None:
        return None
    stage = here[-1]
    if len(stage.shape) != 2 or stage.shape[1] < 2 or stage.link.kind == "log softmax":
        return None
    weight = _picked(stage, classes[stage.which])
    if weight is None:
        return None
    if _normalised(stage):
        return None
    made = stage.made if stage.made is not None and bool(torch.isfinite(stage.made).all()) else None
    made = training.value(stage.slot, training.start) if made is None else made
    sums = None if made is None else made.double().exp().sum(1)
    middle = float("nan") if sums is None else float(sums.median())
    what = "probabilities" if stage.link.simplex else "values"
    return Finding(
        rule="nll-without-log-softmax",
        severity=Severity.ERROR,
        what=f"the negative log-likelihood is given {what} that are no logarithms of probabilities: a row of"
        f" exp(value) sums to {middle:.3g} instead of 1",
        where=made_at(training, stage, evidence) if len(here) > 1 else evidence.loss_line(training),
        measured=Number(middle, "median sum of exp(value) over the classes"),
        bound=Number(1.0, "of log-probabilities"),
        why="This loss only picks the true class's value and turns its sign. Unless a log_softmax ties the classes"
        " together, making all values large is as good as being right.",
        fix="loss = nn.functional.cross_entropy(scores, target)      # or nll_loss(log_softmax(scores, dim=1), target)",
        tried=tried_with(
            training, evidence, Softmax(), "log_softmax over the classes before the loss",
            factor=float(weight.sum()), row_weights=by_row(stage, training.rows.n, weight),
        ),
        weight=1.0,
    )  # fmt: skip


def _normalised(stage: Stage) -> bool:
    """Whether exp of each row sums to 1: some log_softmax made it, of whatever."""
    if stage.made is None:
        return False
    sums = torch.logsumexp(stage.made.reshape(len(stage.made), -1), 1)
    return stage.link.high <= CLOSE and float(sums.abs().max()) < 1e-3


def _picked(stage: Stage, classes: Tensor) -> Tensor | None:
    """Weight of each row, where the derivative is minus it at the true class, and 0 at every other; None elsewhere.

    Of the values themselves, or of their logarithms, whose derivative is minus the weight over the value.
    """
    if bool((classes < 0).any()) or bool((classes >= stage.shape[1]).any()):
        return None
    own = torch.nn.functional.one_hot(classes, stage.shape[1]).bool()
    generator = torch.Generator().manual_seed(5)
    with contextlib.suppress(Exception):
        plain, logarithm = [], []
        for size in SIZES:
            values = size * (0.1 + torch.rand(stage.shape, generator=generator, dtype=torch.float64))
            slope = stage.slope(values)
            if bool((slope[~own].abs() > CLOSE * slope[own].abs().max()).any()) or not bool((slope[own] < 0).all()):
                return None
            plain.append(-slope[own])
            logarithm.append(-slope[own] * values[own])
        for weights in (plain, logarithm):
            if all(torch.allclose(w, weights[0], rtol=1e-3) for w in weights[1:]):
                # Of probabilities the logarithm is the right loss, whatever made them.
                return None if weights is logarithm and stage.link.simplex else weights[0]
    return None
