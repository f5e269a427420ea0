"""The line is not the one with the largest margin that the script looks for, and will not be for long.

## What it finds

On separable data gradient descent on the logistic loss tends to the direction of the largest margin (Soudry et al.
2018), but only like 1/log t; with the bias counted in the norm, with decay on it, or with Adam, to another direction
altogether. The rule compares the margin of the training's line with the largest one, certified, where the script
measures a margin, an angle or a line, or fits a support vector machine beside.

## Why it matters

A line that separates is not the perpendicular bisector of the nearest points. How far it is off depends on start,
scale and the number of steps, not on the data alone.

## Example

```python
loss = nn.BCEWithLogitsLoss()(model(X), y)
...
margin = (sign * scores).min() / model.weight.norm()      # a third of the SVC's
```

## Instead

```python
line = sl.MaxMarginClassifier().fit(X, y)
```

## How sure

Both margins are certain, and the largest one is certified. That it was looked for is taken from what the script
computes from its trained weights.
"""

from __future__ import annotations

import ast
import math

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Outcome, Severity, Tried
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered

SHORT = 0.95  # of the largest margin
MOST_ROWS = 5000
NORMS = ("norm", "vector_norm")
ANGLES = ("cosine_similarity", "normalize", "atan2", "atan", "acos")
MACHINES = ("SVC", "LinearSVC", "SGDClassifier", "MaxMarginClassifier")


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The margin against the largest."""
    here = progress(training)
    if here is None or not here.no_minimum or not here.problem.objective.intercept:
        return None
    objective = here.problem.objective
    witness = here.problem.solution.certificate.witness
    if objective.outputs not in (None, 2) or objective.n > MOST_ROWS or not math.isfinite(here.end):
        return None
    if witness is None or witness.separation != "complete" or not _looked_for(evidence):
        return None
    weights = training.weights_in(here.problem, training.weights)
    y, coef, scores = objective.data.y, weights.coef, objective.scores(weights)
    if objective.outputs == 2:  # softmax of two classes is a function of the difference
        y, coef, scores = 2.0 * y.double() - 1.0, coef[:, 1] - coef[:, 0], scores[:, 1] - scores[:, 0]
    norm = float(coef.norm())
    own = float((y * scores).min()) / norm if norm else 0.0
    from sightline.estimators.max_margin import MaxMarginClassifier

    X = objective.data.design.to_dense().double()
    machine = MaxMarginClassifier().fit(X, (y > 0).long())
    best_coef = torch.as_tensor(machine.coef_, dtype=torch.float64).reshape(-1)
    intercept = float(torch.as_tensor(machine.intercept_).reshape(-1)[0])
    best = float((y * (X @ best_coef + intercept)).min() / best_coef.norm())
    if best <= 0 or own > SHORT * best:
        return None
    cosine = float(coef @ best_coef / (norm * best_coef.norm())) if norm else 0.0
    angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    tried = None
    if evidence.attempt:
        loss = training.stretch.losses[-1] if training.stretch.losses else None
        tried = Tried("sl.MaxMarginClassifier on the same rows", Outcome(loss, here.accuracies[0]),
                      None, Outcome(None, 1.0, 1e-10, True))  # fmt: skip
    return Finding(
        rule="implicit-bias-not-max-margin",
        severity=Severity.ADVICE,
        what=f"the line's margin is {own:.3g}, the largest is {best:.3g}; the direction is {angle:.3g} degrees off",
        where=evidence.loss_line(training),
        measured=Number(own, "margin"),
        bound=Number(best, "largest margin"),
        why="Gradient descent tends to the largest margin only like 1/log t, and with the bias in the norm, decay on"
        " it, or"
        " Adam, to another line. The largest margin is a problem of its own.",
        fix="line = sl.MaxMarginClassifier().fit(X, y)",
        tried=tried,
        weight=0.6,
    )


def _looked_for(evidence: Evidence) -> bool:
    """Whether the script computes a margin or an angle from what it trained, or fits a machine that maximises one."""
    if any(True for _ in evidence.calls(*MACHINES)):
        return True
    if any(operation.name in ANGLES for operation in evidence.recording.last_operations):
        return True
    if not any(operation.name in NORMS for operation in evidence.recording.last_operations):
        return False
    # A norm that something is divided by: a distance from the line, not a norm that is printed.
    return any(
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _has_norm(node.right)
        for node in ast.walk(evidence.tree)
    )


def _has_norm(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in NORMS for part in ast.walk(node))
