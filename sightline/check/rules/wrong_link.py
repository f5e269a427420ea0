"""The loss takes the model's number for another one: a rate for its logarithm, or a score for a rate.

## What it finds

A Poisson loss that applies `exp` to what is a rate already (`log_input=True` after an `exp`), or takes the logarithm
of a raw score (`log_input=False` without an `exp`); and log losses that are given what an `exp` or `tanh` made.

## Why it matters

What is fitted is then exp(exp(z)), and the model's rate is really the logarithm of one. The other way round, the
logarithm of a negative score does not exist, and everything turns to NaN.

## Example

```python
rate = torch.exp(linear(X))
loss = nn.PoissonNLLLoss()(rate, y)                     # log_input=True is the default
```

## Instead

```python
loss = nn.PoissonNLLLoss(log_input=False)(rate, y)
loss = nn.PoissonNLLLoss()(linear(X), y)                # the same
```

## How sure

Certain: both the range of the values and the rest of the loss are measured at made-up scores. A rate that some other
call keeps positive (softplus) is not counted.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import (
    Stage,
    classification,
    log_loss_of_probabilities,
    made_at,
    rates_wanted,
    stages,
    tried_with,
)  # fmt: skip
from sightline.check.rules._refused import made_by, refused_by_bce
from sightline.losses import Logistic, Poisson, Softmax

FIX = {
    "twice": "loss = nn.PoissonNLLLoss(log_input=False)(rate, target)      # or give it the raw scores",
    "rate": "loss = nn.PoissonNLLLoss(log_input=True)(scores, target)",
    "scores": "loss = criterion(scores, target)                            # without the {kind}",
    "probability": "loss = nn.functional.binary_cross_entropy_with_logits(scores, target)",
}


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A stage whose values are not what the rest of the loss takes them for."""
    if training.recognised is not None:
        return None
    for number, stage in enumerate(stages(training)):
        case = _mistaken(stage, number)
        if case is not None:
            break
    else:
        return None
    made = training.value(stage.slot, training.start)
    low = float("nan") if made is None else float(made.min())
    what, why = _words(case, stage, low)
    poisson = case in ("twice", "rate")
    loss = Poisson() if poisson else classification(training)
    tried = None if loss is None else tried_with(training, evidence, loss, "the link that the loss is made for")
    return Finding(
        rule="wrong-link",
        severity=Severity.ERROR,
        what=what,
        where=made_at(training, stage, evidence) if number else evidence.loss_line(training),
        measured=Number(low, "least value given to the loss, at the start"),
        bound=Number(-math.inf if case in ("twice", "scores") else 0.0, "least that the loss is made for"),
        why=why,
        fix=FIX[case].format(kind=stage.link.kind),
        tried=tried,
        weight=0.9,
    )


def find_in_script(evidence: Evidence) -> Finding | None:
    """``binary_cross_entropy`` refused what another activation made."""
    given = refused_by_bce(evidence)
    if given is None or not made_by(given, "Tanh", "Relu", "Exp", "Softplus"):
        return None
    return Finding(
        rule="wrong-link",
        severity=Severity.ERROR,
        what=f"a loss of probabilities is given values from {float(given.min()):.3g} to {float(given.max()):.3g},"
        " which no"
        " sigmoid made",
        where=evidence.where_it_failed,
        measured=Number(float(given.max()), "largest value given to the loss"),
        bound=Number(1.0, "largest probability"),
        why="The loss takes the logarithm of p and of 1 - p, which exist only between 0 and 1. Another"
        " activation's range is"
        " another one.",
        fix=FIX["probability"],
        weight=0.9,
    )


def _mistaken(stage: Stage, number: int) -> str | None:
    link, known = stage.link, stage.recognised
    raw = number == 0
    if not raw and known is not None:
        if isinstance(known.loss, Poisson) and link.kind == "exponential":
            return "twice"
        if isinstance(known.loss, Logistic | Softmax) and link.kind in ("exponential", "tanh"):
            return "scores"
    if link.low < 0 and not link.logarithms and (raw or link.kind == "tanh") and rates_wanted(stage):
        return "rate"
    if not raw and link.kind in ("tanh", "exponential") and log_loss_of_probabilities(stage):
        return "probability"
    return None


def _words(case: str, stage: Stage, low: float) -> tuple[str, str]:
    if case == "twice":
        return (
            f"the loss applies exp to what exp has made already: its input, the logarithm of the rate, is never below 0"
            f" ({low:.3g} at least)",
            "What is fitted is exp(exp(z)), so no rate below 1 can be had, and what the model calls the rate is its"
            " logarithm.",
        )
    if case == "rate":
        return (
            f"the loss takes the logarithm of a rate, but is given raw scores, which take both signs: {low:.3g} is"
            " the least"
            " at the start",
            "The logarithm of a negative number does not exist: the loss is NaN, or wrong, as soon as one score is"
            " below 0.",
        )
    if case == "scores":
        return (
            f"a log loss of raw scores is given what {stage.link.kind} made: values from {stage.link.low:.3g} to"
            f" {stage.link.high:.3g}",
            "The loss is made for scores of any size and sign. What is left of that range bounds the probabilities"
            " that the"
            " model can give.",
        )
    return (
        f"a loss of probabilities is given what {stage.link.kind} made: values from {stage.link.low:.3g} to"
        f" {stage.link.high:.3g}",
        "The loss takes the logarithm of p and of 1 - p, which exist only between 0 and 1.",
    )
