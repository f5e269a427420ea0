"""Rows are read in an order that says something, so each epoch ends on its last part.

## What it finds

The gradients of an epoch's batches at the same weights, the optimum's. In random order they differ as samples of the
same rows do; the rule compares their spread with the spread of single rows (the ratio of variances, an F statistic),
where the order of the batches is the same in every epoch.

## Why it matters

Rows sorted by time, place or target make neighbouring batches alike. The training follows the last of them, and ends
away from the optimum of all rows however long it runs.

## Example

```python
loader = DataLoader(TensorDataset(X, y), batch_size=20, shuffle=False)      # sorted by year
```

## Instead

```python
loader = DataLoader(TensorDataset(X, y), batch_size=20, shuffle=True)
```

## How sure

It speaks where the spread between batches is far more than random order gives (2.5 times for many batches, more for
few), and the end is away from the certified optimum.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import Progress, progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

SPREAD = 2.5  # times the spread of random batches, and more where batches are few
FEW = 8.0
AWAY = 0.01  # of the optimum


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Spread of the batches' gradients against that of rows."""
    rows = training.rows
    here = progress(training)
    if rows is None or here is None or here.diverged or len(rows.batches) < 3 or training.linear is None:
        return None
    if here.descent and here.highest_lr is not None and here.limit is not None and here.highest_lr > here.limit:
        return None
    if not here.no_minimum and here.excess < AWAY * here.best + 1e-4 * here.null:
        return None
    epoch = _epoch(training)
    if epoch is None:
        return None
    ratio = _ratio(here, epoch)
    bound = SPREAD + FEW * (2 / len(epoch)) ** 0.5
    if ratio is None or ratio < bound:
        return None
    if _falls_anyway(here):
        return None
    tried = attempt(training, here.problem, "the same recipe with rows in random order") if evidence.attempt else None
    return Finding(
        rule="unshuffled-ordered-data",
        severity=Severity.WARNING,
        what=f"batches come in the same order each epoch and differ {ratio:.3g} times as much as random ones: the end"
        " follows"
        " the last of them",
        where=evidence.call("DataLoader") or evidence.place(training.stretch.at),
        measured=Number(ratio, "spread of batches' gradients"),
        bound=Number(bound, "times that of random batches"),
        why="Neighbouring rows are alike, so an epoch pulls the weights one way and then another. Where it stops, the"
        " last"
        " rows' answer stands.",
        fix="DataLoader(..., shuffle=True)    # or X = X[order], y = y[order] with order = torch.randperm(len(y))",
        tried=tried,
        weight=0.6,
    )


def _epoch(training: Recovered) -> list[torch.Tensor] | None:
    """The batches of one epoch, where the next is the same; None where rows are shuffled."""
    rows = training.rows
    assert rows is not None
    seen: set[int] = set()
    epoch: list[torch.Tensor] = []
    for batch in rows.batches:
        if len(seen) >= rows.n:
            break
        epoch.append(batch)
        seen.update(batch.tolist())
    following = rows.batches[len(epoch) : 2 * len(epoch)]
    if any(not torch.equal(a, b) for a, b in zip(epoch, following)):
        return None
    single = max(len(b) for b in epoch) == 1
    if single and len(epoch) >= 20:  # single rows: tenths of the epoch stand for batches
        joined = torch.cat(epoch)
        return list(joined.chunk(10))
    return epoch if len(epoch) >= 3 and not single else None


def _ratio(here: Progress, epoch: list[torch.Tensor]) -> float | None:
    """Variance of the batches' mean gradients over what batches of random rows have, at the optimum."""
    objective = here.problem.objective
    if objective.n != here.training.linear.X.shape[0]:  # type: ignore[union-attr]
        return None
    own = here.training.weights_in(here.problem, here.training.weights)
    weights = own if here.no_minimum else here.problem.optimum
    evaluation = objective.evaluate(weights)
    dual = evaluation.dual.reshape(objective.n, -1).double()
    X = objective.data.design.to_dense().double()
    if objective.intercept:
        X = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
    if X.shape[1] * dual.shape[1] > 5000:
        return None
    gradients = (dual[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    scale = gradients.std(0)
    gradients = gradients[:, scale > 1e-12 * (1e-300 + scale.max())]
    if not gradients.numel():
        return None
    gradients = (gradients - gradients.mean(0)) / gradients.std(0)
    # For random batches each mean has variance 1 / rows, so the mean of rows · mean² is 1 in each column.
    spread = torch.stack([gradients[batch].mean(0).square() * len(batch) for batch in epoch]).mean(0)
    return float(spread.max())


def _falls_anyway(here: Progress) -> bool:
    """Whether the end is merely short of the optimum, along its own way: then the order is not the reason."""
    needed = here.steps_needed if here.descent else None
    return needed is not None and here.steps * 1.5 < needed < float("inf")
