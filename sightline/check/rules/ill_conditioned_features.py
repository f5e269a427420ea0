"""The columns' scales differ so much that no single learning rate suits all weights.

## What it finds

The largest stable learning rate is set by the direction of largest curvature L, progress along the flattest by its
own curvature μ: that takes about L/μ steps. The rule compares the end with what the best stable rate could have
reached in the steps that were made, as the columns are and after they were standardised (mean 0, variance 1).

## Why it matters

One column in the hundreds makes L large, the learning rate has to be tiny, and the bias, or a column of small
numbers, hardly moves. The fit looks stuck at a wrong intercept or slope.

## Example

```python
x = torch.tensor(areas)              # 500 .. 3,000
optimizer = torch.optim.SGD(model.parameters(), lr=1e-7)      # any larger explodes
```

## Instead

```python
mean, std = x.mean(0), x.std(0)
x = (x - mean) / std
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
```

## How sure

Certain in what it measures; it speaks only where the end is far from the certified optimum and the same number of
steps on standardised columns would not have been.
"""

from __future__ import annotations

import math

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import ADAPTIVE, DESCENT, Progress, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

LARGE = 1e3  # condition number from which scaling can matter
DEPENDENT = 1e5  # from which columns are so nearly dependent that no scaling mends it


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The condition number, and what standardised columns would have reached."""
    here = progress(training)
    if here is None or not here.far or here.steps < 2 or here.lr is None:
        return None
    if here.kind not in DESCENT and here.kind not in ADAPTIVE:
        return None
    condition = here.condition if not here.no_minimum else here.condition_of_columns
    if condition is None or condition < LARGE:
        return None
    if here.no_minimum:
        return _separable(here, training, evidence, condition)
    if here.best_standardised is None or here.best_rate is None:
        return None
    scaled, lr = here.best_standardised
    plain = here.best_rate[0]
    unstable = here.limit is not None and here.lr > here.limit and here.descent
    if here.descent and not unstable and not here.is_far(plain):
        return None  # another rate alone would have been there
    after = here.standardised.values if here.standardised is not None else None
    if after is None:
        return None
    improved = float(after[-1] / after[after > 1e-13 * after[-1]][0])
    if here.is_far(scaled) and improved > 0.5 * condition and condition < DEPENDENT:
        return None  # scaling does not help, and the columns are not that nearly dependent either
    way = here.distance_standardised
    if here.kind in ADAPTIVE and way is not None and here.lr * here.steps < 0.5 * way:
        return None  # the rate is too low for any columns
    return _finding(here, training, evidence, condition, improved, float(f"{min(lr, 1.0):.1g}"))


def _finding(
    here: Progress, training: Recovered, evidence: Evidence, condition: float, improved: float, lr: float
) -> Finding:
    tried = None
    if evidence.attempt:
        own = None if here.kind in ADAPTIVE else lr
        what = "the columns standardised" + ("" if own is None else f", lr={lr:g}") + ", the recipe otherwise the same"
        tried = attempt(training, here.problem, what, lr=own, standardised=True)
    features = () if training.scores is None else training.scores.features
    x = training.variable(features[0], "X") if len(features) == 1 else "X"
    helped = improved <= 0.1 * condition
    X = here.problem.objective.data.design.to_dense().double()
    sizes = X.abs().amax(0)
    spread = f"columns up to {float(sizes.max()):.3g}" if len(sizes) else "columns"
    return Finding(
        rule="ill-conditioned-features",
        severity=Severity.WARNING,
        what=f"the condition number is {condition:.2g} ({spread}): no learning rate reaches all weights in"
        f" {here.steps:,}"
        f" steps; standardised columns have {improved:.2g}",
        where=evidence.model_line(training),
        measured=Number(condition, "condition number"),
        bound=Number(improved, "condition number of standardised columns"),
        why=f"The largest curvature allows no rate above {here.limit or math.nan:.2g}, and at that rate the flattest"
        " direction needs about as many steps as the condition number. Scaling makes the curvatures alike.",
        fix=f"{x} = ({x} - {x}.mean(0)) / {x}.std(0)\nlr = {lr:g}" if helped else "optimizer ="
        " torch.optim.LBFGS(parameters,"
        ' line_search_fn="strong_wolfe")    # or sl.fit: the columns are nearly dependent',
        tried=tried,
        weight=0.7,
    )


def _separable(here: Progress, training: Recovered, evidence: Evidence, condition: float) -> Finding | None:
    """Separable rows that are not all right at the end, on columns far from standardised ones."""
    objective = here.problem.objective
    X = objective.data.design.to_dense().double()
    deviation = X.std(0, unbiased=False)
    Z = (X - X.mean(0)) / torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    Z = torch.cat([Z, torch.ones(len(Z), 1, dtype=Z.dtype)], 1) if objective.intercept else Z
    values = torch.linalg.eigvalsh(Z.T @ Z)
    improved = float(values[-1] / values[values > 1e-13 * values[-1]][0])
    if improved > 0.01 * condition:
        return None
    return _finding(here, training, evidence, condition, improved, 1.0)
