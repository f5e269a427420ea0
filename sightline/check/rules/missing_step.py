"""Gradients are computed, and the weights never change.

## What it finds

Weights that are at the end, bit for bit, what they were at first, although their gradients are not zero:
`optimizer.step` without parentheses, no step at all, a scheduler's step alone, or an update that makes a new tensor
under a local name.

## Why it matters

The loss is the same after every epoch. Nothing is learnt.

## Example

```python
for param in params:
    param = param - lr * param.grad      # a new tensor; w and b stay as they are
```

## Instead

```python
with torch.no_grad():
    for param in params:
        param -= lr * param.grad
```

## How sure

Certain: the weights are compared bit for bit. A few backward passes, as in a look at gradients, are not counted.
"""

from __future__ import annotations

import ast

import torch

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _updates as updates
from sightline.check.trying import attempt
from sightline.check.watching.stretch import Stretch

FEWEST = 5  # backward passes


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Weights without a change beside gradients that are not zero."""
    stretch = training.stretch
    if stretch.backwards < FEWEST or stretch.recreated:
        return None
    still, pulled = updates.still(stretch), updates.pulled(stretch)
    idle = [i for i in range(len(still)) if still[i] and pulled[i] and not _below_resolution(stretch, i)]
    if not idle:
        return None
    if all(still):
        if any(updates.changes(stretch, e) for events in updates.all_events(stretch) for e in events):
            return None
        if updates.strangers(stretch):
            return None  # something steps, but something else
    elif evidence.recording.optimizers or stretch.module is not None or not stretch.counts.get("update"):
        return None
    names = [stretch.names[i] for i in idle]
    size = updates.norm([stretch.beats[0].own_gradient()[i] for i in idle if i < len(stretch.beats[0].weights)])
    where, why, fix = _line(training, evidence)
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same training with an update after each backward()")
    return Finding(
        rule="missing-step",
        severity=Severity.ERROR,
        what=f"{updates.listed(names)} {'is' if len(names) == 1 else 'are'} after {stretch.backwards:,} backward passes"
        f" bit for bit what {'it was' if len(names) == 1 else 'they were'}, though the gradient's norm is {size:.3g}",
        where=where or evidence.place(stretch.at),
        measured=Number(0, "updates", "0"),
        bound=Number(stretch.backwards, "backward passes", f"{stretch.backwards:,}"),
        why=why,
        fix=fix,
        tried=tried,
        weight=1.0,
    )


def _below_resolution(stretch: Stretch, i: int) -> bool:
    """Whether a step along this gradient would be lost in the rounding of the weights, whatever the learning rate."""
    gradient = stretch.beats[0].own_gradient()
    weight = stretch.start[i]
    if i >= len(gradient) or not weight.numel():
        return False
    return float(gradient[i].abs().max()) < torch.finfo(weight.dtype).eps * float(weight.abs().max())


def _line(training: Recovered, evidence: Evidence) -> tuple[Place | None, str, str]:
    """(where, why, fix)."""
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == "step":
            code = ast.unparse(node.value)
            return evidence.line(node), "Without parentheses the method is named and not called.", f"{code}()"
    rebound = _rebinding(evidence)
    if rebound is not None:
        where, name = rebound
        why = f"`{name} = {name} - ...` binds a new tensor to a local name; the tensor outside is not changed by it."
        return where, why, f"with torch.no_grad():\n    {name} -= lr * {name}.grad"
    why = "backward() only computes gradients. Nothing after it changes the weights."
    if evidence.recording.optimizers:
        return evidence.call("backward"), why, "loss.backward()\noptimizer.step()"
    name = "model.parameters()" if training.stretch.module is not None else f"[{', '.join(training.stretch.names[:4])}]"
    return evidence.call("backward"), why, f"optimizer = torch.optim.SGD({name}, lr=...)\n...\noptimizer.step()"


def _rebinding(evidence: Evidence) -> tuple[Place, str] | None:
    """A line ``p = p - ... p.grad ...``."""
    for node in ast.walk(evidence.tree):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        reads = [n for n in ast.walk(node.value) if isinstance(n, ast.Attribute) and n.attr == "grad"]
        if any(isinstance(n.value, ast.Name) and n.value.id == name for n in reads):
            return evidence.line(node), name
    return None
