"""The training is at its optimum, and the best model of this kind is no good: what it lacks is named.

## What it finds

The certified optimum is reached, yet it explains less than half of what the same rows allow with an intercept, with
squares and products of the columns, or with a column for each value of a column that has few. Several linear layers
in a row are one linear model and add nothing.

## Why it matters

No learning rate, optimizer or number of steps can get below a proven optimum. Only another model can.

## Example

```python
model = nn.Sequential(nn.Linear(2, 10), nn.Linear(10, 1), nn.Sigmoid())      # one line, for XOR
```

## Instead

```python
X = torch.cat([X, X[:, :1] * X[:, 1:]], 1)       # the product as a column, or nn.ReLU() between the layers
```

## How sure

That the optimum is reached is proven. What other columns would give is measured on the same rows, and must be more
than their number explains by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Outcome, Severity, Tried
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import accuracy
from sightline.data import make_data
from sightline.driver import solve
from sightline.objective import Objective, Weights
from sightline.penalties import L2

BETTER = 0.5  # of what is left unexplained, at most, with the further columns
LEFT = 0.05  # of the best constant's loss that must be left unexplained to say anything
POOR = 0.9  # left unexplained from which it is more than advice
MOST_COLUMNS = 20
LEVELS = 12
MOST_ROWS = 20_000


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The optimum's loss against that of richer columns."""
    here = progress(training)
    if here is None or here.no_minimum or here.far or training.linear is None:
        return None
    objective = here.problem.objective
    if getattr(objective.loss, "soft", False):
        return None
    if objective.loss.name not in ("squared", "logistic", "softmax") or objective.n > MOST_ROWS:
        return None
    null = _null(objective)
    left = here.best / null if null > 0 else 0.0
    if left < LEFT:
        return None
    best: tuple[float, str, str, Objective, Weights] | None = None
    for what, fix, X, intercept in _richer(objective):
        added = X.shape[1] - objective.p + (intercept and not objective.intercept)
        value, richer, weights = _optimum(objective, X, intercept)
        if value > BETTER * here.best or not _more_than_chance(objective, here.best, value, added):
            continue
        if best is None or value < 0.5 * best[0]:
            best = (value, what, fix, richer, weights)
    if best is None:
        return None
    value, what, fix, richer, weights = best
    right, right_then = accuracy(here.problem, here.problem.optimum), None
    if right is not None:
        z = richer.scores(weights)
        y = richer.data.y
        agree = (z * y > 0) if z.ndim == 1 else z.argmax(1) == y
        right_then = float(agree.double().mean())
    factor = here.problem.factor
    gains = right is not None and right_then is not None and right_then - right > 0.2
    poor = left > POOR or (gains and right is not None and right < _most(objective) + 0.05)
    tried = None
    if evidence.attempt:
        before = Outcome(factor * here.end, here.accuracies[0], here.excess / max(here.best, 1e-300), True)
        tried = Tried(f"the same loss with {what}", before, None, Outcome(factor * value, right_then, 1e-7, True))
    stacked = training.scores is not None and training.scores.kind == "stack of linear layers"
    return Finding(
        rule="model-cannot-represent",
        severity=Severity.WARNING if poor else Severity.ADVICE,
        what=f"the loss {factor * here.end:.4g} is the proven optimum of this model, {100 * left:.3g} % of the best"
        " constant's;"
        f" with {what} it would be {factor * value:.3g}",
        where=evidence.model_line(training),
        measured=Number(factor * here.best, "optimum of this model"),
        bound=Number(factor * value, f"optimum with {what}"),
        why=("Linear layers in a row are one linear model. " if stacked else "")
        + "No recipe gets below a proven optimum, so the model is what has to change.",
        fix=fix,
        tried=tried,
        weight=1.0,
    )


def _most(objective: Objective) -> float:
    """Share of the most frequent class."""
    counts = objective.data.y.double().unique(return_counts=True)[1]
    return float(counts.max()) / objective.n


def _null(objective: Objective) -> float:
    """Loss of the best constant."""
    constant = Objective(objective.data, objective.loss, L2(1e12), True)
    return constant.null_value


def _richer(objective: Objective) -> Iterator[tuple[str, str, Tensor, bool]]:
    """Further columns to be tried: (what they are, code, design, intercept)."""
    X = objective.data.design.to_dense().double()
    n, p = X.shape
    if not objective.intercept:
        yield "an intercept", "model = nn.Linear(in_features, out_features)    # bias=True", X, True
    deviation = X.std(0, unbiased=False)
    keep = deviation > 0
    Z = (X[:, keep] - X[:, keep].mean(0)) / deviation[keep]
    p = Z.shape[1]
    if 1 <= p <= MOST_COLUMNS:
        i, j = torch.triu_indices(p, p)
        squares = Z[:, i] * Z[:, j]
        usual = squares[:, squares.std(0, unbiased=False) > 1e-9]
        if usual.shape[1]:
            words = "squares and products of the columns" if p > 1 else "the square of the column"
            code = "X = torch.cat([X, X ** 2], 1)" if p == 1 else "X = torch.cat([X, X ** 2, X[:, :1] * X[:, 1:]], 1)"
            yield words, code + "    # or a nonlinearity between layers", torch.cat([X, usual], 1), True
    hot, names = [], []
    for c in keep.nonzero().reshape(-1).tolist():
        levels = X[:, c].unique()
        if 2 < len(levels) <= LEVELS and n >= 5 * len(levels):
            hot.append((X[:, c : c + 1] == levels[1:]).double())
            names.append(c)
    if hot:
        code = f"X = torch.cat([X, F.one_hot(X[:, {names[0]}].long()).float()], 1)"
        yield "a column for each value of a column that has few", code, torch.cat([X, *hot], 1), True


def _optimum(objective: Objective, X: Tensor, intercept: bool) -> tuple[float, Objective, Weights]:
    """Optimal loss on another design; a touch of L2 where classes may become separable."""
    data, loss = objective.data, objective.loss
    classes = [-1, 1] if loss.targets == "binary" else list(range(objective.outputs or 1))
    made = make_data(
        X, data.y, loss, sample_weight=data.weight,
        classes=classes if loss.targets in ("binary", "classes") else None,
    )
    penalty = L2(1e-4) if loss.targets in ("binary", "classes") else objective.penalty
    richer = Objective(made, loss, penalty, intercept)
    weights = solve(richer, tol=1e-7, time_limit=5.0).weights
    return richer.value(weights), richer, weights


def _more_than_chance(objective: Objective, before: float, after: float, added: int) -> bool:
    """Whether the fall is more than so many further columns give by chance (likelihood ratio, with a wide margin).

    With fewer than ten rows a ratio says nothing: there the optimum must have been no better than a constant, and none
    of the loss left.
    """
    n = objective.n
    if n < 10:
        return before > 0.95 * _null(objective) and after < 0.3 * before
    if objective.loss.name == "squared":
        ratio = n * math.log(before / max(after, 1e-300))
    else:
        ratio = 2 * n * (before - after)
    return n > 2 * (objective.p + added) and ratio > 4 * added + 20


