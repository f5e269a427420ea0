"""The loss is made for another kind of target.

## What it finds

- A cross-entropy over a single column, which is zero whatever the weights. - A squared error on class numbers of
three or more classes, where these are no scale: the classes do not lie in that order along any line, and scores for
each class tell them apart far better. - A cross-entropy over classes that exclude each other, on rows that have
several labels or none. - A loss of margins for targets that take many values.

## Why it matters

The loss measures something that has nothing to do with the question, so that its minimum is no answer to it.

## Example

```python
model = nn.Linear(3, 1)
loss = nn.CrossEntropyLoss()(model(X), price)
```

## Instead

```python
loss = nn.MSELoss()(model(X), price)
```

## How sure

Certain for the first and the last two. For class numbers, likely: whole numbers that are a quantity (counts, grades)
are told from classes by what a classifier of the same rows reaches.
"""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Outcome, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.soft import FAR
from sightline.check.rules._probing import Stage, recognised, signs, stages, tried_with, two_values
from sightline.check.trying import optimum, outcome
from sightline.data import make_data
from sightline.losses import Hinge, Huber, Logistic, Quantile, Softmax, Squared, SquaredHinge
from sightline.objective import Weights
from sightline.penalties import NONE
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective

RULE = "loss-for-wrong-task"
MOST_CLASSES = 20
BETTER = 0.6  # errors of the classifier over those of the rounded numbers, below which the numbers are no scale
PROBES = (0.5, 3.0, 30.0)


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A loss that the targets' kind does not fit."""
    here = stages(training)
    if not here or training.y is None or training.linear is None:
        return None
    if training.recognised is not None:
        return _class_numbers(training, evidence)
    found = _no_gradient(training, evidence, here) or _margins(training, evidence)
    return found or _several_labels(training, evidence, here)


def _no_gradient(training: Recovered, evidence: Evidence, here: list[Stage]) -> Finding | None:
    """One column, and a loss that does not change with it."""
    stage = here[0]
    linear, y = training.linear, training.y
    assert linear is not None and y is not None
    if linear.outputs != 1 or any(s.link.constant for s in here):
        return None
    if not _flat(stage):
        return None
    distinct = len(torch.unique(y))
    two = bool(two_values(y))
    loss = Logistic() if two else Squared()
    name = "the log loss of two classes" if two else "the squared error"
    sign = signs(y) if two else None
    fix = "nn.BCEWithLogitsLoss()" if two else "nn.MSELoss()"
    return Finding(
        rule=RULE, severity=Severity.ERROR,
        what="the loss does not depend on the model: a cross-entropy over a single column is the same for any"
        " score, and the"
        f" gradient is exactly 0; the targets take {distinct} values",
        where=evidence.loss_line(training),
        measured=Number(0.0, "largest derivative of the loss in any score"), bound=Number(None, "", "above 0"),
        why="A cross-entropy compares the columns of a row with each other. With one column there is nothing to"
        " compare.",
        fix=f"loss = {fix}(model(X), y)",
        tried=tried_with(training, evidence, loss, name, factor=1.0 if two else 2.0, y=sign), weight=1.0,
    )  # fmt: skip


def _flat(stage: Stage) -> bool:
    """Whether the loss's derivative is exactly zero at scores of any size; not where it refuses some."""
    generator = torch.Generator().manual_seed(6)
    with contextlib.suppress(Exception):
        sizes = [size * torch.randn(stage.shape, generator=generator, dtype=torch.float64) for size in PROBES]
        return not any(bool((stage.slope(z) != 0).any()) for z in sizes)
    return False


def _margins(training: Recovered, evidence: Evidence) -> Finding | None:
    """A loss of y * score, for targets of more than two values."""
    y, linear = training.y, training.linear
    assert y is not None and linear is not None
    distinct = len(torch.unique(y))
    if distinct <= 3 or linear.outputs != 1 or not y.is_floating_point():
        return None
    sign = torch.where(y > y.median(), 1.0, -1.0).to(y.dtype)
    rest = training.loss_of_scores(target=sign)
    known = None if rest is None else recognised(rest[0], rest[1], rest[2])
    if known is None or not isinstance(known.loss, Hinge | SquaredHinge | Logistic):
        return None
    return Finding(
        rule=RULE, severity=Severity.ERROR,
        what=f"a loss of margins ({known.loss.name}) is given targets of {distinct} different values; it is made"
        " for the"
        " labels -1 and 1",
        where=evidence.loss_line(training),
        measured=Number(distinct, "different targets"), bound=Number(2, "labels of a loss of margins"),
        why="The loss asks only that score and target have the same sign. How large a target is does not matter to it.",
        fix="loss = nn.MSELoss()(prediction, target)",
        tried=tried_with(training, evidence, Squared(), "the squared error", factor=2.0), weight=1.0,
    )  # fmt: skip


def _several_labels(training: Recovered, evidence: Evidence, here: list[Stage]) -> Finding | None:
    """A softmax, for rows with several labels or none."""
    y, stage = training.y, here[0]
    assert y is not None
    if len(stage.shape) != 2 or stage.shape[1] < 3 or tuple(y.shape[1:]) != tuple(stage.shape[1:]):
        return None
    real = y.double()
    if not bool(((real == 0) | (real == 1)).all()):
        return None
    sums = real.sum(1)
    off = float((sums != 1).double().mean())
    if off == 0 or not _exclusive(stage, real[stage.which]):
        return None
    return Finding(
        rule=RULE, severity=Severity.WARNING,
        what=f"the cross-entropy takes the classes to exclude each other, but {100 * off:.3g} % of the rows have"
        " several"
        " labels or none",
        where=evidence.loss_line(training),
        measured=Number(off, "share of rows without exactly one label"),
        bound=Number(0.0, "of classes that exclude each other"),
        why="A softmax shares out one probability among all classes, so two labels of a row work against each other.",
        fix="loss = nn.BCEWithLogitsLoss()(scores, labels)", weight=0.8,
    )  # fmt: skip


def _exclusive(stage: Stage, y: Tensor) -> bool:
    """Whether the derivative in the scores is w (s softmax(z) - y) with s the number of a row's labels."""
    with contextlib.suppress(Exception):
        generator = torch.Generator().manual_seed(7)
        z = 2 * torch.randn(stage.shape, generator=generator, dtype=torch.float64)
        want = y.sum(1, keepdim=True) * torch.softmax(z, 1) - y
        have = stage.slope(z)
        scale = float((have * want).sum() / want.square().sum())
        return scale > 0 and float((have - scale * want).abs().max()) < 1e-6 * scale * FAR
    return False


def _class_numbers(training: Recovered, evidence: Evidence) -> Finding | None:
    """The squared error of class numbers that a classifier tells apart far better than rounding does."""
    known, y, linear = training.recognised, training.y, training.linear
    assert known is not None and y is not None and linear is not None
    if not isinstance(known.loss, Squared | Huber | Quantile) or linear.outputs != 1 or y.numel() != len(linear.X):
        return None
    real = y.double().reshape(-1)
    values = torch.unique(real)
    count = len(values)
    if not 3 <= count <= MOST_CLASSES or bool((values != values.round()).any()) or values[0] not in (0.0, 1.0):
        return None
    if bool((values.diff() != 1).any()) or count > len(real) / 10 or not evidence.attempt:
        return None
    least_squares = training.problem(Squared(), real, 2.0)
    if isinstance(least_squares, str):
        return None
    z = least_squares.objective.scores(least_squares.optimum)
    near = z.round().clamp(float(values[0]), float(values[-1])) == real
    classes = (real - values[0]).long()
    data = make_data(linear.X, classes, Softmax(), classes=list(range(count)))
    problem = Minimised(RecipeObjective(data, Softmax(), NONE, True, 0.0), 1.0, "cross-entropy", time_limit=5.0)
    best, none = optimum(problem)
    errors = 1 - float(near.double().mean())
    if best.accuracy is None or errors < 0.05 or (1 - best.accuracy) > BETTER * errors or not _unordered(z, classes):
        return None
    tried = _tried_classes(training, problem, best, none, float(near.double().mean()))
    rounds = any(call.name in ("round", "round_") for call in evidence.recording.calls.values())
    return Finding(
        rule=RULE, severity=Severity.WARNING if rounds else Severity.ADVICE,
        what=f"{count} classes are fitted as the numbers {values[0]:g} to {values[-1]:g}: the best such line is"
        " right for"
        f" {100 * (1 - errors):.3g} % of the rows, a score for each class for {100 * best.accuracy:.3g} %",
        where=evidence.loss_line(training),
        measured=Number(errors, "errors of the rounded numbers"),
        bound=Number(1 - best.accuracy, "errors with a score for each class"),
        why="A squared error takes class 3 to be three times class 1. Classes are no scale, so each needs a score"
        " of its own.",
        fix=f"model = nn.Linear({linear.X.shape[1]}, {count})\nloss = nn.CrossEntropyLoss()(model(X), y.long())",
        tried=tried, weight=0.8,
    )  # fmt: skip


def _unordered(z: Tensor, classes: Tensor) -> bool:
    """Whether the mean fitted number does not rise from class to class by its share of the way."""
    means = torch.stack([z[classes == k].mean() for k in range(int(classes.max()) + 1)])
    steps = means.diff()
    return bool((steps < 0.2 * steps.abs().max()).any())


def _tried_classes(
    training: Recovered, problem: Minimised, best: Outcome, none: str, accuracy: float
) -> Tried:
    losses = training.stretch.losses
    before = Outcome(losses[-1] if losses else None, accuracy)
    outputs = problem.objective.outputs or 1
    columns = len(problem.optimum.coef)
    zero = Weights(torch.zeros(columns, outputs, dtype=torch.float64), torch.zeros(outputs, dtype=torch.float64))
    start = outcome(problem, zero)
    what = f"{outputs} scores and the cross-entropy (from {start.loss:.3g} at weights of 0)"
    return Tried(what, before, None, best, none)
