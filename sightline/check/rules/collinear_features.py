"""Columns depend on each other, so many weights give the same predictions.

## What it finds

The rank of the design matrix, with its column of ones where there is a bias, beside its number of columns. Where it
is less, weights can be moved against each other without any prediction changing.

## Why it matters

The loss has no single best weights: those that a training ends at depend on where it began. They cannot be read as
effects, and two runs do not agree.

## Example

```python
X = torch.stack([metres, feet], 1)             # the same thing twice
X = torch.cat([torch.ones(n, 1), X], 1)        # ones, and nn.Linear has a bias as well
```

## Instead

```python
X = metres[:, None]
```

## How sure

The rank is that of float64 arithmetic on the rows that were seen. It is advice: predictions are not worse for it.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

WIDEST = 3000


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Rank against columns."""
    linear = training.linear
    if linear is None or linear.where is None or training.penalties.l2 or training.penalties.decay:
        return None
    X = linear.X
    if linear.has_bias:
        X = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
    n, p = X.shape
    if p > WIDEST or n < 2 or not bool(torch.isfinite(X).all()):
        return None
    norms = X.norm(dim=0)
    empty = int((norms == 0).sum())
    scaled = X[:, norms > 0] / norms[norms > 0]
    values = torch.linalg.svdvals(scaled)
    eps = 1e-6 if training.dtype == torch.float32 else 1e-12  # what the person's own numbers can tell apart
    rank = int((values > eps * max(n, p) ** 0.5 * values[0]).sum()) if len(values) else 0
    if rank >= p - empty or (rank >= n and n < p and training.stretch.size > 1000):
        return None
    problem = training.minimised
    tried = None
    if evidence.attempt and not isinstance(problem, str):
        tried = attempt(training, problem, "the smallest of the best weights (sl.fit)", own_recipe=False)
    wide = f", of {n} rows" if n < p else ""
    return Finding(
        rule="collinear-features",
        severity=Severity.ADVICE,
        what=f"the design matrix has rank {rank} and {p}"
        f" columns{wide}{', ones for the bias included' if linear.has_bias else ''}:"
        " the best weights are not unique",
        where=evidence.model_line(training),
        measured=Number(rank, "rank"),
        bound=Number(p, "columns"),
        why="Weights can be moved along the dependent columns without any prediction changing. Where the training"
        " ends among"
        " them depends on its start.",
        fix="leave out the columns that repeat others, or add a small penalty: weight_decay=1e-4",
        tried=tried,
        weight=0.3,
    )
