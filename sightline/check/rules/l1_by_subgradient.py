"""An L1 penalty is left to the gradient, so no weight becomes exactly zero.

## What it finds

The optimum of the loss with its s * |w| has weights that are exactly zero, and the training's weights are nowhere zero:
they swing about it. The rule counts the zeros of both, and the size of the weights that should be zero.

## Why it matters

Automatic differentiation gives the sign of a weight as the derivative of |w|. Every step then moves a small weight by
learning rate times s towards zero and past it, and the selection of variables, which L1 is there for, never happens.

## Example

```python
loss = criterion(model(X), y) + 0.1 * model.weight.abs().sum()
loss.backward()
optimizer.step()
```

## Instead

```python
loss = criterion(model(X), y)
loss.backward()
optimizer.step()
with torch.no_grad():  # soft-thresholding
    model.weight.copy_(model.weight.sign() * (model.weight.abs() - lr * 0.1).clamp(min=0))
```

## How sure

The zeros of the optimum are those of a certified solution. Where none of its weights is zero, or the training's are
zero too, nothing is said.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.penalty import ABSOLUTE
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt, learning_rate, outcome

MISSED = 0.5  # share of the optimum's zeros
TINY = 1e-4  # of the largest weight: below it a weight may be called zero
FAR = 0.5  # relative gap from which on something else keeps the training from its end


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Exact zeros of the certified optimum beside those of the training."""
    problem = training.minimised
    if isinstance(problem, str) or not problem.objective.penalty.l1:
        return None
    best = problem.optimum.coef
    weights = training.weights_in(problem, training.weights)
    own = weights.coef
    zero = best == 0
    wanted, had = int(zero.sum()), int((own[zero] == 0).sum())
    if not wanted or wanted - had < MISSED * wanted or not bool(torch.isfinite(own).all()):
        return None
    left = float(own[zero].abs().max())
    if left <= TINY * float(own.abs().max()):
        return None
    gap = outcome(problem, weights, training.dtype).gap
    far = gap is None or gap > FAR
    tried = None
    if evidence.attempt:
        tried = attempt(training, problem, "the same loss with soft-thresholding, to its optimum", own_recipe=False)
    strength = problem.factor * problem.objective.penalty.l1
    lr = learning_rate(training)
    step = f" (learning rate * strength = {lr * strength:.2g})" if lr is not None else ""
    term = next((t for t in training.penalties.terms if t.kind == ABSOLUTE), None)
    return Finding(
        rule="l1-by-subgradient",
        severity=Severity.ADVICE if far else Severity.WARNING,
        what=f"{wanted} of {best.numel()} weights are exactly 0 at the optimum, {had} of these at the training's end:"
        f" they swing about zero by up to {left:.2g}{step}",
        where=(evidence.place(term.at) if term is not None else None) or evidence.loss_line(training),
        measured=Number(had, "exact zeros", str(had)),
        bound=Number(wanted, "at the optimum", str(wanted)),
        why="The derivative of |w| is a sign, so each step moves a small weight towards zero and past it."
        " Soft-thresholding after the step stops it there.",
        fix=_fix(training, strength),
        tried=tried,
        weight=1.0,
    )


def _fix(training: Recovered, strength: float) -> str:
    linear = training.linear
    slot = linear.slots[0] if linear is not None else None
    held = next((s for s in training.penalties.l1 if training.penalties.l1[s]), slot)
    name = training.name(held) if held is not None else "w"
    return (
        "with torch.no_grad():  # after the step; the loss without its L1 term\n"
        f"    {name}.copy_({name}.sign() * ({name}.abs() - lr * {strength:.3g}).clamp(min=0))"
    )
