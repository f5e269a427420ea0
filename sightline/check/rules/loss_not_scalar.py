"""backward() is called on a loss of many numbers.

## What it finds

A loss with one number for each row, for which `backward()` would need weights: the rule counts the numbers of the
tensor that `backward()` was called on.

## Why it matters

A gradient is that of a single number. PyTorch stops with "grad can be implicitly created only for scalar outputs".

## Example

```python
loss = (model(X) - y) ** 2            # one number for each row
loss.backward()
```

## Instead

```python
loss = ((model(X) - y) ** 2).mean()
loss.backward()
```

## How sure

Certain: the shape is that of the failing call. A call that was given weights, `loss.backward(weights)`, is not
counted.
"""

from __future__ import annotations

import ast

from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing
from sightline.check.watching.operations import tensors


def find_in_script(evidence: Evidence) -> Finding | None:
    """The tensor that a failed backward() was called on."""
    failure = evidence.failure
    if failure is None or failure.name not in ("backward", "grad") or not failure.args:
        return None
    loss = next((t for t in tensors(failure.args[0]) if t.requires_grad and t.numel() != 1), None)
    weights = failure.args[1] if failure.name == "backward" and len(failure.args) > 1 else None
    given = weights if weights is not None else failure.kwargs.get("gradient", failure.kwargs.get("grad_outputs"))
    if loss is None or given is not None or not isinstance(failure.error, RuntimeError):
        return None
    where = evidence.where_it_failed
    name = _name(evidence, loss)
    return Finding(
        rule="loss-not-scalar",
        severity=Severity.ERROR,
        what=f"backward() is called on a loss of shape {failing.shape(loss)}: {loss.numel():,} numbers instead of one",
        where=where,
        measured=Number(loss.numel(), "numbers in the loss", f"{loss.numel():,}"),
        bound=Number(1, "a loss has", "1"),
        why="The loss has a number for each row, and nothing says how much each counts. Their mean is what is meant"
        " nearly always; with a sum the step grows with the batch.",
        fix=f"{name}.mean().backward()",
        weight=1.0,
    )


def _name(evidence: Evidence, loss: Tensor) -> str:
    """What the failing line calls the loss."""
    line = failing.statement(evidence, evidence.where_it_failed)
    for node in ast.walk(line) if line is not None else ():
        if isinstance(node, ast.Attribute) and node.attr == "backward":
            return ast.unparse(node.value)
    return failing.name_of_value(loss, failing.visible(evidence)) or "loss"
