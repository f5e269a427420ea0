"""A penalty is added to the loss but has no gradient.

## What it finds

A term of the loss whose value depends on the weights and whose derivative is zero, because it is made from `.data`,
`.detach()`, `.item()`, `.tolist()` or a new tensor. The rule evaluates the term at several weights and differentiates
it there; what it would be with a gradient is then part of the mended problem.

## Why it matters

The printed loss grows with the strength, and the weights are those of a training without any penalty.

## Example

```python
penalty = model.weight.data.norm(p=2) ** 2
loss = criterion(model(X), y) + 0.1 * penalty
```

## Instead

```python
penalty = model.weight.norm(p=2) ** 2
loss = criterion(model(X), y) + 0.1 * penalty
```

## How sure

Certain where the term is computed by PyTorch. Where it is a plain number, its values at several passes must be those
of a usual penalty to four digits. A penalty that takes effect by other means, as by soft-thresholding, is told by the
end: these weights are near the optimum of the loss with the penalty.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.detached import Detached, detached_penalty
from sightline.check.recovering.penalty import ABSOLUTE, SQUARED, Penalties
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt, outcome
from sightline.recipes.minimised import Minimised

NEAR = 0.01  # relative gap at which the penalty is in effect, however it came to be


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A term that moves with the weights and pulls at none of them."""
    found = detached_penalty(training)
    if found is None:
        return None
    live = _live(training, found)
    if isinstance(live, Minimised):
        gap = outcome(live, training.weights_in(live, training.weights), training.dtype).gap
        if gap is not None and gap <= NEAR:
            return None
    elif "update" in training.stretch.counts and training.stretch.optimizers:
        return None  # a step by hand beside the optimizer's may be the penalty's
    tried = None
    if evidence.attempt:
        tried = attempt(training, live, "the same penalty with a gradient")
    names = ", ".join(training.name(s) for s in found.strengths) or "the weights"
    return Finding(
        rule="penalty-detached",
        severity=Severity.ERROR,
        what=f"a penalty on {names} adds {found.value:.3g} to the loss, and its gradient is zero",
        where=evidence.place(found.at) or evidence.loss_line(training),
        measured=Number(0.0, "gradient of the penalty"),
        bound=Number(found.value, "value of the penalty"),
        why="It is made from numbers that autograd does not follow (.data, detach(), item(), tolist() or a new tensor)."
        " The loss grows by it, and the weights are those of a training without it.",
        fix=_fix(training, found),
        tried=tried,
        weight=1.0,
    )


def _live(training: Recovered, found: Detached) -> Minimised | str:
    """The problem in which the penalty has its gradient."""
    own = training.penalties
    if found.kind not in (SQUARED, ABSOLUTE):
        return "a norm that is not squared has no certified optimum here."
    into = dict(own.l2) if found.kind == SQUARED else dict(own.l1)
    for s, strength in found.strengths.items():
        into[s] = into.get(s, 0.0) + strength
    l2, l1 = (into, own.l1) if found.kind == SQUARED else (own.l2, into)
    return training.penalised(Penalties(dict(l2), dict(l1), own.decay, own.decoupled, own.terms))


def _fix(training: Recovered, found: Detached) -> str:
    name = next((training.name(s) for s in found.strengths), "model.weight")
    value = f"{name}.abs().sum()" if found.kind == ABSOLUTE else f"{name}.square().sum()"
    return f"penalty = {value}  # of the parameter itself: no .data, .detach(), .item() or .tolist()"
