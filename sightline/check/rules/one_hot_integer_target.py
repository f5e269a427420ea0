"""Classes are given as integer columns where the loss takes class indices.

## What it finds

`cross_entropy` or `nll_loss` with a target of integers that has a column for each class, or one column of class
numbers. The rule makes the failing call again with one class index for each row, and reports it only if that works.

## Why it matters

These losses take class indices, int64 of shape (N,), or probabilities in floating point. Integer columns are neither,
and the script stops.

## Example

```python
target = torch.nn.functional.one_hot(labels, 10)         # (N, 10), int64
loss = torch.nn.functional.cross_entropy(scores, target)
```

## Instead

```python
loss = torch.nn.functional.cross_entropy(scores, labels)  # (N,), int64
```

## How sure

Certain: the same call with class indices was made and gave a finite loss.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing


def find_in_script(evidence: Evidence) -> Finding | None:
    """The target of the failing call, read as columns of 0 and 1."""
    failure = evidence.failure
    if failure is None or not failure.args:
        return None
    scores = failure.args[0]
    by_name = "target" in failure.kwargs
    target = failure.kwargs.get("target") if by_name else (failure.args[1] if len(failure.args) > 1 else None)
    if not isinstance(scores, Tensor) or not isinstance(target, Tensor) or scores.ndim != 2 or target.ndim != 2:
        return None
    if target.shape[0] != scores.shape[0]:
        return None
    index, how = _classes(target, scores.shape[1])
    if index is None:
        return None
    args = failure.args if by_name else (scores, index, *failure.args[2:])
    kwargs = {**failure.kwargs, "target": index} if by_name else failure.kwargs
    if not failing.works(failure, args, kwargs):
        return None
    name = failing.name_of_value(target, failing.visible(evidence)) or "target"
    columns = target.shape[1]
    return Finding(
        rule="one-hot-integer-target",
        severity=Severity.ERROR,
        what=f"the target has shape {failing.shape(target)} and dtype {failing.dtype(target)}"
        + (": one column for each class" if columns > 1 else ": class numbers in a column")
        + f", where {failure.name} takes class indices ({target.shape[0]},)",
        where=evidence.where_it_failed,
        measured=Number(target.ndim, "dimensions of the target", str(target.ndim)),
        bound=Number(1, "class indices have", "1"),
        why="The loss picks each row's score by its class number. The same call works with "
        + ("the columns' argmax." if columns > 1 else "the column taken out."),
        fix=f"{name} = {name}{how}",
        weight=1.0,
    )


def _classes(target: Tensor, outputs: int) -> tuple[Tensor | None, str]:
    """Class indices (N,) int64, and the code that makes them; None where the target is no coding of classes."""
    columns = target.shape[1]
    if columns == 1:
        whole = target.double()
        if bool((whole == whole.round()).all()) and bool((whole >= 0).all()) and outputs > 1:
            return target[:, 0].long(), ".squeeze(1)" + ("" if target.dtype == torch.int64 else ".long()")
        return None, ""
    ones = (target == 1).sum(1) == 1
    zeros = (target == 0).sum(1) == columns - 1
    if columns == outputs and bool(ones.all()) and bool(zeros.all()):
        return target.argmax(1), ".argmax(dim=1)"
    return None, ""
