"""The penalty is the norm of the weights where its square was meant.

## What it finds

A term s * ||w|| of the loss, told by its derivative: it has the length s at every w. The rule solves the problem with
s * ||w||^2 in its place, and compares these weights with those of the training.

## Why it matters

The pull of a norm does not fade near zero, so it is not ridge regression: it shrinks small weights too much, and above
a certain strength all weights are exactly zero.

## Example

```python
loss = criterion(model(X), y) + 0.1 * torch.norm(model.weight, p=2)
```

## Instead

```python
loss = criterion(model(X), y) + 0.1 * model.weight.square().sum()
```

## How sure

The kind of the penalty is certain. Whether squares were meant is not: a norm for each group of weights is the group
lasso. Where both give nearly the same weights nothing is said.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.penalty import NORM, Penalties, PenaltyTerm
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt
from sightline.recipes.minimised import Minimised

SHIFT = 0.03  # of the weights, relative to those with squares, that matters
SLIGHT = 0.01


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A norm in the loss, and how far its weights are from those of the squares."""
    norms = [t for t in training.penalties.terms if t.kind == NORM and t.strengths]
    if not norms:
        return None
    problem = _squared(training)
    shift = _shift(training, problem) if isinstance(problem, Minimised) else None
    if shift is not None and shift < SLIGHT:
        return None
    tried = attempt(training, problem, "the norm squared, without the bias") if evidence.attempt else None
    term = norms[0]
    name = training.name(next(iter(term.strengths)))
    strength = sum(max(abs(s) for s in t.strengths.values()) for t in norms)
    small = shift is None or shift < SHIFT
    weights = "" if shift is None else f"; the weights are {100 * shift:.0f} % off those of the square"
    return Finding(
        rule="unsquared-norm-penalty",
        severity=Severity.ADVICE if small else Severity.WARNING,
        what=f"the penalty is {_times(term)}||{name}||, not its square{weights}",
        where=evidence.place(term.at) or evidence.loss_line(training),
        measured=Number(strength, "length of the penalty's gradient at every w", f"{strength:.3g}"),
        bound=Number(0.0, "that of a squared norm at w = 0"),
        why="The pull of a norm is the same however small the weights are: it is not ridge regression, and a strength"
        " above that of the data's gradient holds all weights at zero.",
        fix=f"penalty = {name}.square().sum()",
        tried=tried,
        weight=min(1.0, shift or 0.0),
    )


def _times(term: PenaltyTerm) -> str:
    return f"{max(abs(s) for s in term.strengths.values()):.3g} * "


def _squared(training: Recovered) -> Minimised | str:
    """The problem with s ||w||² for each s ||w||, the bias left free."""
    own, linear = training.penalties, training.linear
    if linear is None or linear.where is None:
        return "the scores are not a linear function of the rows."
    l2, l1 = dict(own.l2), dict(own.l1)
    bias = _slots_of_bias(training)
    for term in own.terms:
        for s, strength in term.strengths.items():
            if term.kind == NORM and s not in bias:
                l2[s] = l2.get(s, 0.0) + 2 * strength
    for s in bias:  # the norm of a single number is its absolute value
        l1.pop(s, None)
    return training.penalised(Penalties(l2, l1, own.decay, own.decoupled))


def _slots_of_bias(training: Recovered) -> set[int]:
    """Parameters that hold the bias alone."""
    linear = training.linear
    if linear is None or linear.bias is None or linear.where is None:
        return set()
    places, found, begin = set(linear.bias.tolist()), set(), 0
    for s in linear.slots:
        size = training.program.leaves[s].numel()
        if set(range(begin, begin + size)) <= places:
            found.add(s)
        begin += size
    return found


def _shift(training: Recovered, problem: Minimised) -> float:
    """Distance of the training's coefficients from the problem's, over the length of the latter."""
    best = problem.optimum.coef
    return float((training.weights_in(problem, training.weights).coef - best).norm() / best.norm().clamp(min=1e-300))
