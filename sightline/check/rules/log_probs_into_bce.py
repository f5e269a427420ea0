"""Logarithms of probabilities go into a binary cross-entropy.

## What it finds

The output of a `LogSigmoid` or `LogSoftmax`, which is never above 0, given to `nn.BCELoss` (which wants
probabilities) or to `nn.BCEWithLogitsLoss` (which wants scores of either sign).

## Why it matters

`nn.BCELoss` refuses it: its input must be between 0 and 1. `nn.BCEWithLogitsLoss` does not, but the sigmoid of a
number that is never positive is never above one half, so no row can be called positive.

## Example

```python
model = nn.Sequential(nn.Linear(4, 1), nn.LogSigmoid())
loss = nn.BCEWithLogitsLoss()(model(X), y)
```

## Instead

```python
model = nn.Linear(4, 1)
loss = nn.BCEWithLogitsLoss()(model(X), y)
```

## How sure

Certain where a training ran: the largest value is measured at scores of any size. Where PyTorch raised the error,
certain too: the values and the call that made them were seen. Logarithms that `exp` turns back are not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import classification, log_loss_of_probabilities, made_at, stages, tried_with
from sightline.check.rules._refused import made_by, refused_by_bce
from sightline.losses import Logistic

RULE = "log-probs-into-bce"
FIX = "# give the loss the raw scores\nloss = nn.functional.binary_cross_entropy_with_logits(scores, target)"


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A stage of logarithms from which on the loss is a logistic one, of scores or of probabilities."""
    if training.recognised is not None:
        return None
    for stage in stages(training)[1:]:
        known = stage.recognised
        scores = known is not None and isinstance(known.loss, Logistic)
        if stage.link.logarithms and (scores or log_loss_of_probabilities(stage)):
            break
    else:
        return None
    loss = classification(training)
    what = "the raw scores given to a log loss of scores"
    tried = None if loss is None else tried_with(training, evidence, loss, what)
    largest = float(stage.made.max()) if stage.made is not None else 0.0
    finding = _finding(largest, tried)
    return Finding(**{**vars(finding), "where": made_at(training, stage, evidence)})


def find_in_script(evidence: Evidence) -> Finding | None:
    """``binary_cross_entropy`` refused logarithms."""
    given = refused_by_bce(evidence)
    if given is None or bool((given > 0).any()) or not (_sums_to_one(given) or made_by(given, "Log")):
        return None
    finding = _finding(float(given.max()), None)
    return Finding(**{**vars(finding), "where": evidence.where_it_failed})


def _sums_to_one(given: Tensor) -> bool:
    if given.ndim != 2 or given.shape[1] < 2:
        return False
    return float((torch.logsumexp(given.double(), 1)).abs().max()) < 1e-3


def _finding(largest: float, tried: Tried | None) -> Finding:
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what="the binary cross-entropy is given logarithms of probabilities: the largest is"
        f" {largest:.3g}, and none can be above 0",
        where=None,
        measured=Number(largest, "largest value given to the loss"),
        bound=Number(0.0, "largest that a logarithm of a probability can be"),
        why="A loss of probabilities cannot take them, and one of scores can give no row a probability above one half.",
        fix=FIX,
        tried=tried,
        weight=1.0,
    )
