"""The penalty shrinks the bias too, and that shifts all predictions.

## What it finds

Weight decay, or a penalty in the loss, that holds the bias as it holds the weights. The rule solves the problem with
and without it, and compares the mean loss of the data at both optima.

## Why it matters

The bias is the level of the targets, or how frequent a class is. It is no complexity, and shrinking it makes every
prediction wrong by about the same amount.

## Example

```python
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.2)
```

## Instead

```python
optimizer = torch.optim.SGD([{"params": [model.weight], "weight_decay": 0.2}, {"params": [model.bias]}], lr=0.1)
```

## How sure

Both optima are certified. Most people's weight decay acts on the bias and hardly matters: nothing is said where it
costs less than a hundredth of the loss.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt
from sightline.objective import Weights
from sightline.penalties import NONE
from sightline.recipes.objective import RecipeObjective

COSTS = 0.05  # of the data's loss, from which on it spoils the answer
SLIGHT = 0.01
OF_ALL = 0.02  # of the loss of the best constant prediction: below it the loss is small anyway


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The data's loss at the optimum with the bias penalised, beside that with the bias free."""
    held = training.minimised
    if isinstance(held, str) or not held.bias_included:
        return None
    free = replace(held, objective=_without(held.objective))
    alone = replace(held.objective, penalty=NONE, bias_strength=0.0)
    cost_held, cost_free = alone.value(held.optimum), alone.value(free.optimum)
    lost = cost_held - cost_free
    share, of_all = lost / max(cost_free, 1e-300), lost / max(_constant(alone, free.optimum.coef), 1e-300)
    if share < SLIGHT or of_all < OF_ALL / 4:
        return None
    serious = share >= COSTS and of_all >= OF_ALL
    tried = attempt(training, free, "the same penalty on the weights alone") if evidence.attempt else None
    has, would = _shown(held.optimum.intercept), _shown(free.optimum.intercept)
    decay = bool(training.penalties.decay)
    terms = training.penalties.terms
    where = evidence.optimizer_line(training) if decay or not terms else evidence.place(terms[0].at)
    return Finding(
        rule="weight-decay-on-bias",
        severity=Severity.WARNING if serious else Severity.ADVICE,
        what=f"the penalty holds the bias at {has} instead of {would}, which raises the loss of the data by"
        f" {100 * share:.3g} %",
        where=where,
        measured=Number(held.factor * cost_held, "loss of the data, bias penalised"),
        bound=Number(held.factor * cost_free, "bias free"),
        why="The bias is the level of the targets, no complexity: a penalty on it moves all predictions towards zero.",
        fix=_fix(training, decay),
        tried=tried,
        weight=min(1.0, share),
    )


def _without(objective: RecipeObjective) -> RecipeObjective:
    return replace(objective, bias_strength=0.0)


def _constant(alone: RecipeObjective, coef: Tensor) -> float:
    """Mean loss of the best prediction that is the same for all rows."""
    from scipy.optimize import minimize

    shape = coef.shape[1:]  # () of one output, (K,) of several

    def at(vector: np.ndarray) -> tuple[float, np.ndarray]:
        b = torch.from_numpy(vector.astype(np.float64)).reshape(shape)
        found = alone.evaluate(Weights(torch.zeros_like(coef), b))
        return found.loss, found.gradient.intercept.reshape(-1).double().numpy()

    return float(minimize(at, np.zeros(shape or 1), jac=True, method="L-BFGS-B").fun)


def _shown(bias: Tensor) -> str:
    values = bias.reshape(-1).tolist()
    return f"{values[0]:.3g}" if len(values) == 1 else "(" + ", ".join(f"{v:.3g}" for v in values[:4]) + ")"


def _fix(training: Recovered, decay: bool) -> str:
    names = training.stretch.names
    bias = next((n for n in names if n.rsplit(".", 1)[-1] in ("bias", "b", "b0", "intercept")), "bias")
    weights = [n for n in names if n != bias] or ["weight"]
    if not decay:
        return f"penalty = {' + '.join(f'{n}.square().sum()' for n in weights)}  # without {bias}"
    strength = max(training.penalties.decay.values())
    kind = training.stretch.optimizers[0].kind if training.stretch.optimizers else "SGD"
    return (
        f'optimizer = torch.optim.{kind}([{{"params": [{", ".join(weights)}], "weight_decay": {strength:g}}},'
        f' {{"params": [{bias}]}}], ...)'
    )
