"""A weight is changed in place while autograd records.

## What it finds

`w -= lr * w.grad` and the like on a tensor that requires a gradient, outside `torch.no_grad()`. The rule looks at the
tensor that the failing call would have changed: a leaf that requires a gradient, or a part of one.

## Why it matters

The update would become part of the computation that is differentiated. PyTorch refuses: "a leaf Variable that
requires grad is being used in an in-place operation".

## Example

```python
loss.backward()
w -= 0.1 * w.grad
```

## Instead

```python
loss.backward()
with torch.no_grad():
    w -= 0.1 * w.grad
w.grad = None
```

## How sure

Certain: it is the failing call's own argument.
"""

from __future__ import annotations

import ast

from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing
from sightline.check.watching.operations import Failure


def find_in_script(evidence: Evidence) -> Finding | None:
    """The leaf that a failed call would have changed."""
    failure = evidence.failure
    if failure is None or not isinstance(failure.error, RuntimeError) or not _in_place(failure):
        return None
    target = failure.args[0] if failure.args else None
    if not isinstance(target, Tensor) or not target.requires_grad:
        return None
    base = target if target.is_leaf else target._base
    if base is None or not base.is_leaf or not base.requires_grad:
        return None
    where = evidence.where_it_failed
    line = failing.statement(evidence, where)
    names = evidence.frames[-1][1] if evidence.frames else {}
    name = failing.name_of_value(base, names) or "a weight"
    code = where.code if where is not None else "w -= lr * w.grad"
    if isinstance(line, ast.For | ast.While | ast.If | ast.With):
        code = f"{name} -= lr * {name}.grad"
    return Finding(
        rule="inplace-leaf-update",
        severity=Severity.ERROR,
        what=f"{name} {failing.shape(base)} requires a gradient and is changed in place while autograd records",
        where=where,
        measured=Number(1, "leaves that require a gradient and are changed in place", "1"),
        bound=Number(0, "allowed outside no_grad", "0"),
        why="An update is no part of the function whose gradient is wanted. Within torch.no_grad() it is not recorded.",
        fix=f"with torch.no_grad():\n    {code}",
        weight=1.0,
    )


def _in_place(failure: Failure) -> bool:
    name = failure.name
    plain = name.endswith("_") and not name.endswith("__")
    augmented = name in ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__")
    return plain or augmented or "out" in failure.kwargs
