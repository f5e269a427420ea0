"""A rate or a bound is promised, but nothing in the training imposes it, and the end breaks it.

## What it finds

A rate that the script compares with a number, asserts, or names (recall of at least 0.9, say), or bounds that its
weights are cut to, or asserted to keep, after the training. The rule measures them at the end. A rate must be broken by
the certified optimum of the loss as well: then no longer training would bring it.

## Why it matters

The optimum of a loss keeps no promise that is not part of it. A rare class is found in a few rows only, however long
one trains; weights that are cut to their bounds afterwards are not the best ones within these.

## Example

```python
loss = criterion(model(X), y)       # nothing of the recall
assert recall >= 0.9
```

## Instead

```python
result = sl.fit(X, y, loss="logistic", subject_to=[sl.recall() >= 0.9])
```

## How sure

The measured number is certain. What is promised is read from the script's text, so only comparisons with numbers and
the usual names of rates count. A script that sets its threshold for the rate keeps its promise, and nothing is said.
"""

from __future__ import annotations

import contextlib
import warnings

from torch import Tensor

from sightline.certificate import Verdict
from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Outcome, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _bounds
from sightline.check.rules._promises import Promise, promises
from sightline.check.trying import accuracy, outcome
from sightline.objective import Weights
from sightline.recipes.minimised import Minimised

BY = 0.01  # a promise that is missed by less may be rounding
# Calls that set a threshold by the scores: the script may keep its promise by them.
THRESHOLDS = ("quantile", "nanquantile", "kthvalue", "roc_curve", "precision_recall_curve", "percentile")


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """A promise beside what the end and the optimum keep."""
    problem = training.minimised
    if isinstance(problem, Minimised) and _has_rates(problem):
        for promise in promises(evidence):
            found = _rate(training, evidence, problem, promise)
            if found is not None:
                return found
    return _bounds.find(training, evidence)


def _has_rates(problem: Minimised) -> bool:
    return problem.objective.outputs is None and problem.objective.loss.targets == "binary"


def _rate(training: Recovered, evidence: Evidence, problem: Minimised, promise: Promise) -> Finding | None:
    if problem.solution.certificate.verdict is Verdict.NO_MINIMUM:
        return None  # separable: more training would keep every promise
    best = _measure(problem, problem.optimum, promise.rate)
    value = promise.own
    if value is None and next(evidence.calls(*THRESHOLDS), None) is None:
        value = _measure(problem, training.weights_in(problem, training.weights), promise.rate)
    if value is None or best is None or not (promise.broken_by(value, BY) and promise.broken_by(best, BY)):
        return None
    name = promise.rate.replace("_", " ")
    sense = "at most" if promise.at_most else "at least"
    return Finding(
        rule="constraint-not-imposed",
        severity=Severity.ERROR if promise.asserted else Severity.WARNING,
        what=f"{name} of {sense} {promise.level:g} is promised, the end has {value:.3g}, and the optimum of the"
        f" loss {best:.3g}",
        where=promise.where,
        measured=Number(value, name),
        bound=Number(promise.level, "promised"),
        why="Nothing in the loss or in the updates imposes the rate: its optimum breaks the promise as well, however"
        " long one trains.",
        fix=f'result = sl.fit(X, y, loss="{problem.objective.loss.name}", subject_to=[{promise.text}])',
        tried=_tried(training, problem, promise) if evidence.attempt else None,
        weight=min(1.0, abs(value - promise.level)),
    )


def _measure(problem: Minimised, weights: Weights, rate: str) -> float | None:
    """The rate of predictions by the sign of the score, on the training's rows."""
    data = problem.objective.data
    called, true = problem.objective.scores(weights) >= 0, data.y > 0
    hits = called & true
    parts: dict[str, tuple[Tensor, Tensor]] = {
        "recall": (hits, true), "precision": (hits, called), "specificity": (~called & ~true, ~true),
        "false_positive_rate": (called & ~true, ~true),
    }  # fmt: skip
    part, whole = (t.double() if data.weight is None else t.double() * data.weight for t in parts[rate])
    return float(part.sum() / whole.sum()) if float(whole.sum()) else None


def _tried(training: Recovered, problem: Minimised, promise: Promise) -> Tried | None:
    """The convex problem with a hinge bound on the rate as a constraint, taken to its optimum."""
    from sightline.constraints.fitting import fit_constrained
    from sightline.constraints.rates import parse

    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constraint = parse(promise.text.removeprefix("sl.").replace("()", ""))
        result = fit_constrained(problem.for_solver, [constraint], time_limit=0, delta=None)
        way = result.constraints.proxy if result.constraints is not None else None
        if way is None or way.weight is None or way.bias is None:
            return None
        weights = Weights(way.weight[0], way.bias.reshape(-1)[0])
        kept = _measure(problem, weights, promise.rate)
        if kept is None or promise.broken_by(kept):
            return None
        gap = way.gap / abs(way.value) if way.value else way.gap
        best = Outcome(problem.in_own_units(way.value), accuracy(problem, weights), gap, certified=True)
        before = outcome(problem, training.weights_in(problem, training.weights), training.dtype)
        name = promise.rate.replace("_", " ")
        return Tried(f"the same loss with a convex bound on the {name}: {name} {kept:.3g}", before, None, best)
    return None
