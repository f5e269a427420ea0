"""Batches hold one class only, so each step pulls towards the class of its batch.

## What it finds

The number of classes in each batch, beside what a random order of the same rows would give.

## Why it matters

Rows that are sorted by class and read in order make every batch's gradient point at one class. The bias swings from
one class to the next, and the training ends at the last.

## Example

```python
X, y = load_iris(return_X_y=True)                # sorted by class
loader = DataLoader(TensorDataset(X, y), batch_size=16)
```

## Instead

```python
loader = DataLoader(TensorDataset(X, y), batch_size=16, shuffle=True)
```

## How sure

The batches are those that came. By chance alone so many of one class would come less than once in a thousand
trainings.
"""

from __future__ import annotations

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt

SMALLEST = 4  # rows in a batch from which one class alone says something
SHARE = 0.5  # of the batches


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Classes in each batch."""
    rows, y = training.rows, training.y
    if rows is None or y is None or len(rows.batches) < 3 or len(y) != rows.n:
        return None
    labels = y.argmax(1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    kinds, numbered = labels.unique(return_inverse=True)
    if not 2 <= len(kinds) <= max(20, len(labels) // 20):
        return None
    if labels.is_floating_point() and not bool((labels == labels.round()).all()):
        return None
    batches = [b for b in rows.batches if len(b) >= SMALLEST]
    if len(batches) < 3:
        return None
    single = sum(1 for b in batches if bool((numbered[b] == numbered[b[0]]).all()))
    shares = torch.bincount(numbered).double() / len(labels)
    expected = sum(float((shares ** len(b)).sum()) for b in batches)
    if single < SHARE * len(batches) or single < 20 * expected + 3:
        return None
    here = progress(training)
    hurt = here is None or here.far or here.no_minimum
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same recipe with rows in random order")
    return Finding(
        rule="single-class-batches",
        severity=Severity.WARNING if hurt else Severity.ADVICE,
        what=f"{single} of {len(batches)} batches hold a single class; in random order {expected:.2g} would",
        where=evidence.call("DataLoader", "split", "BatchSampler") or evidence.place(training.stretch.at),
        measured=Number(single, "batches of one class"),
        bound=Number(expected, "expected in random order"),
        why="Each step then pulls every prediction to its batch's class. The last batches' class wins.",
        fix="DataLoader(..., shuffle=True)    # or X = X[order], y = y[order] with order = torch.randperm(len(y))",
        tried=tried,
        weight=0.9,
    )
