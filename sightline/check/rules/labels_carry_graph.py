"""The targets were computed from tensors that require a gradient, and carry their graph.

## What it finds

A value made before the loop that takes part in each loss together with the computation that it came from. The first
`backward()` frees that computation, the second finds it gone. The rule looks among the failing loss's arguments for a
tensor with a graph that is older than the last backward pass.

## Why it matters

The gradient runs into the model that made the targets, although that is not to be trained; and the second step fails
with "Trying to backward through the graph a second time".

## Example

```python
target = teacher(X)
for epoch in range(100):
    loss = ((student(X) - target) ** 2).mean()
    loss.backward()
```

## Instead

```python
with torch.no_grad():
    target = teacher(X)
```

## How sure

Certain: the tensor with the old graph is found, and it is the one at which the backward pass stops.
"""

from __future__ import annotations

import ast

from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.rules import _failing as failing
from sightline.check.watching.operations import tensors


def find_in_script(evidence: Evidence) -> Finding | None:
    """The value with an old graph in the computation of a loss whose second backward pass failed."""
    carrier = carried(evidence)
    if carrier is None or any(ref() is carrier for ref in evidence.recording.losses):
        return None
    names = failing.visible(evidence)
    base = carrier._base if carrier._base is not None else carrier
    name = failing.name_of_value(carrier, names) or failing.name_of_value(base, names) or "target"
    made = _made(evidence, name)
    return Finding(
        rule="labels-carry-graph",
        severity=Severity.ERROR,
        what=f"{name} {failing.shape(carrier)} was made before the loop from tensors that require a gradient: its"
        " graph is gone after the first backward()",
        where=made or evidence.where_it_failed,
        measured=Number(evidence.recording.backwards + 1, "backward passes through one graph",
                        str(evidence.recording.backwards + 1)),
        bound=Number(1, "a graph serves", "1"),
        why="Targets are data: no gradient is to run into what they were made of. Cut off, they serve every step.",
        fix=f"{name} = {name}.detach()",
        weight=1.0,
        others=() if made is None or evidence.where_it_failed is None else (evidence.where_it_failed,),
    )  # fmt: skip


def carried(evidence: Evidence) -> Tensor | None:
    """The tensor with a graph of before the last backward pass that a failed backward pass ran into; None elsewhere."""
    failure = evidence.failure
    if failure is None or failure.name not in ("backward", "grad") or not isinstance(failure.error, RuntimeError):
        return None
    if "second time" not in str(failure.error):
        return None
    operations = evidence.recording.last_operations
    made = {id(t) for o in operations for t in tensors(o.answer)}
    reached = {id(t) for t in tensors(failure.args[0])}
    within = []
    for operation in reversed(operations):
        if any(id(t) in reached for t in tensors(operation.answer)):
            within.append(operation)
            reached |= {id(t) for t in tensors((operation.args, operation.kwargs))}
    # What an earlier loss was computed from as well: some call took it whose answer this loss does not depend on.
    elsewhere = {
        id(t)
        for o in operations
        if not any(id(a) in reached for a in tensors(o.answer)) and any(a.requires_grad for a in tensors(o.answer))
        for t in tensors((o.args, o.kwargs))
    }
    earlier = {id(loss) for ref in evidence.recording.losses if (loss := ref()) is not None}
    earlier -= {id(t) for t in tensors(failure.args[0])}
    for operation in within:
        for tensor in tensors((operation.args, operation.kwargs)):
            if tensor.grad_fn is None:
                continue
            if id(tensor) not in made or id(tensor) in elsewhere or id(tensor) in earlier:
                return tensor
    return None


def _made(evidence: Evidence, name: str) -> Place | None:
    """The last line that assigns to a name before the one that failed."""
    failed = evidence.where_it_failed
    lines = [
        node
        for node in ast.walk(evidence.tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name for target in node.targets for t in ast.walk(target))
        and (failed is None or node.lineno < failed.line)
    ]
    return evidence.line(max(lines, key=lambda node: node.lineno)) if lines else None
