"""The loss has no lower end: along some direction of the weights it falls for ever.

## What it finds

A loss, penalties and weight decay included, that goes below zero and falls in proportion to the length of a step,
however long: logistic losses of labels outside of 0 to 1, Poisson losses of negative counts, a log-likelihood of raw
scores.

## Why it matters

There is no best model to come near to. Weights grow for as long as the script runs, and what they are at its end is an
accident.

## Example

```python
y = torch.tensor([1.0, 2.0, 2.0])                       # classes 1 and 2
loss = nn.BCEWithLogitsLoss()(model(X).squeeze(1), y)
```

## Instead

```python
loss = nn.BCEWithLogitsLoss()(model(X).squeeze(1), y - 1)
```

## How sure

Certain: the script's own loss is computed along the direction, far out, three times. A loss that is merely negative
is not counted.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._climbing import ascends
from sightline.check.rules._probing import classification, labels, signs, stages, tried_with, two_values
from sightline.check.rules._refused import arguments
from sightline.losses import Logistic, Squared

FAR = 200.0  # scores at which a row's slope is that far out
STEEP = 1e6  # a slope that grows for ever, as that of exp
MOST_ROWS = 2000
LENGTHS = (1e3, 1e4, 1e5)
STEADY = 0.2  # how far a tenfold step may be from a tenfold fall


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A direction of the weights along which the script's own loss falls without end."""
    if training.recognised is not None or training.soft is not None or training.whole_program is None:
        return None
    if ascends(training):
        return None
    scores = training.scores
    if scores is not None and training.penalties.l2:
        return None  # a squared penalty outgrows what falls in proportion to the step
    found = None
    with contextlib.suppress(Exception):  # the loss refuses some values: then it was not seen to fall
        found = _falling(training)
    if found is None:
        return None
    fall, reached = found
    cause, fix = _cause(training)
    return Finding(
        rule="loss-unbounded-below",
        severity=Severity.ERROR,
        what=f"the loss has no lower end{cause}: along one direction of the weights it falls to {reached:.3g} at a"
        " step of"
        f" {LENGTHS[-1]:.0e} and on in proportion",
        where=evidence.loss_line(training),
        measured=Number(-fall, "slope of the loss far out"),
        bound=Number(0.0, "least slope of a loss that has a minimum"),
        why="There are no best weights: they grow for as long as the script runs. Wherever it stops is an accident.",
        fix=fix,
        tried=_tried(training, evidence),
        weight=0.5,
    )


def find_in_script(evidence: Evidence) -> Finding | None:
    """``binary_cross_entropy`` refused the targets."""
    found = arguments(evidence)
    if found is None or not bool(torch.isfinite(found[1]).all()):
        return None
    target = found[1].detach().double()
    inside = bool((target >= 0).all()) and bool((target <= 1).all())
    if found[1].requires_grad or inside:
        return None
    return Finding(
        rule="loss-unbounded-below",
        severity=Severity.ERROR,
        what=f"targets of the log loss range from {float(target.min()):.3g} to {float(target.max()):.3g}; it has a"
        " lower end"
        " only for targets from 0 to 1",
        where=evidence.where_it_failed,
        measured=Number(float(target.max()), "largest target"),
        bound=Number(1.0, "largest target with a lower end"),
        why="A target is the probability of the positive class. Beyond 0 and 1 the loss falls for ever.",
        fix=_coding(target),
        weight=0.5,
    )


def _falling(training: Recovered) -> tuple[float, float] | None:
    """(slope far out, the loss there) along the first of some directions in which it falls steadily; None elsewhere."""
    program = training.whole_program
    assert program is not None
    end = {s: w.detach().double() for s, w in training.weights.items()}
    start = {s: w.detach().double() for s, w in training.start.items()}
    base = end if all(bool(torch.isfinite(w).all()) for w in end.values()) else start
    for direction in (*_directions(training, base, start), *_by_rows(training, base)):
        size = math.sqrt(sum(float(d.square().sum()) for d in direction.values()))
        if not size or not math.isfinite(size):
            continue
        values = [training.loss({s: base[s] + t / size * direction[s] for s in base}) for t in LENGTHS]
        if not all(math.isfinite(v) and v < 0 for v in values):
            continue
        if all(abs(b / a / 10 - 1) < STEADY for a, b in zip(values[1:], values[2:])) and values[1] < values[0]:
            return -values[-1] / LENGTHS[-1], values[-1]
    return None


def _directions(
    training: Recovered, base: dict[int, Tensor], start: dict[int, Tensor]
) -> list[dict[int, Tensor]]:
    """Directions that a falling loss would show: the way gone, and down the slope from far out on it."""
    gone = {s: base[s] - start[s] for s in base}
    found = [gone]
    far = {s: base[s] + 1e3 * gone[s] / (1e-12 + float(gone[s].abs().max())) for s in base}
    for weights in (base, far):
        slope = training.gradient({s: w.clone() for s, w in weights.items()})
        found.append({s: -slope.get(s, torch.zeros_like(base[s])) for s in base})
    return [d for d in found if all(bool(torch.isfinite(v).all()) for v in d.values())]


def _by_rows(training: Recovered, base: dict[int, Tensor]) -> list[dict[int, Tensor]]:
    """The direction in which the sum of the rows' slopes far out is least, by a linear program; for one output."""
    linear, here = training.linear, stages(training)
    if not here or linear is None or linear.where is None or linear.outputs != 1 or len(linear.X) > MOST_ROWS:
        return []
    stage = here[0]
    size = stage.which.numel()
    up, down = (
        stage.slope(torch.full(stage.shape, sign * FAR, dtype=torch.float64)).reshape(-1).clamp(-STEEP, STEEP).numpy()
        for sign in (1.0, -1.0)
    )
    X = torch.cat([linear.X, torch.full((len(linear.X), 1), float(linear.has_bias))], 1)[stage.which].numpy()
    p = X.shape[1]
    rows = np.concatenate([np.concatenate([s[:, None] * X, -np.eye(size)], 1) for s in (up, down)])
    cost = np.concatenate([np.zeros(p), np.ones(size)])
    found = linprog(cost, A_ub=rows, b_ub=np.zeros(2 * size), bounds=[(-1, 1)] * p + [(None, None)] * size)
    if found.x is None:
        return []
    vector = torch.zeros(sum(base[s].numel() for s in linear.slots), dtype=torch.float64)
    vector[linear.where[0]] = torch.from_numpy(found.x[: p - 1])
    if linear.bias is not None:
        vector[linear.bias[0]] = float(found.x[p - 1])
    parts = dict(zip(linear.slots, vector.split([base[s].numel() for s in linear.slots])))
    return [{s: parts[s].reshape(w.shape) if s in parts else torch.zeros_like(w) for s, w in base.items()}]


def _cause(training: Recovered) -> tuple[str, str]:
    """(what of the targets explains it, the mend)."""
    y = training.y
    values = two_values(y)
    if y is None:
        return "", "# use a loss that cannot fall below zero"
    real = y.double()
    if values and (values[0] < 0 or values[1] > 1):
        shown = ", ".join(f"{v:g}" for v in values)
        return f" for targets of {shown}", _coding(real)
    if y.numel() > 2 and bool((real < 0).any()) and y.is_floating_point():
        share = float((real < 0).double().mean())
        fix = "# give the loss the counts as they are, not centred"
        return f" for targets below 0, which {100 * share:.3g} % are", fix
    return "", "# use a loss that cannot fall below zero, e.g. nn.CrossEntropyLoss() or nn.BCEWithLogitsLoss()"


def _coding(target: Tensor) -> str:
    values = two_values(target)
    if values == [-1.0, 1.0]:
        return "target = (y + 1) / 2      # 0 and 1 instead of -1 and 1"
    if values:
        return f"target = (y == {values[1]:g}).float()      # 0 and 1"
    return "# code the targets from 0 to 1"


def _tried(training: Recovered, evidence: Evidence) -> Tried | None:
    y, linear = training.y, training.linear
    if y is None or linear is None or not stages(training):
        return None
    if linear.outputs == 1 and two_values(y):
        sign = signs(y)
        return tried_with(training, evidence, Logistic(), "labels of 0 and 1, the log loss of the scores", y=sign)
    if labels(training) is not None and linear.outputs > 1:
        loss = classification(training)
        return None if loss is None else tried_with(training, evidence, loss, "the log loss of the scores")
    return tried_with(training, evidence, Squared(), "a squared error, which has a minimum for any targets", factor=2.0)
