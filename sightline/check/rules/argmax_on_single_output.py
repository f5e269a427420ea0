"""The index of the largest of one output is always 0.

## What it finds

`argmax`, or `max` with a dimension of which the index is taken, over a dimension of size one. The rule looks at the
shape that the call was given when the script ran.

## Why it matters

Whatever the model has learned, every row is called class 0. The accuracy is the share of zeros among the targets, in
each epoch, and says nothing of the training.

## Example

```python
model = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())
predicted = model(X).argmax(dim=1)      # always 0
```

## Instead

```python
predicted = (model(X).squeeze(1) > 0.5).float()
```

## How sure

Certain: the shape is that of the call itself.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt
from sightline.check.watching.recording import Call


def find_in_script(evidence: Evidence) -> Finding | None:
    """A call that looks for the largest of one."""
    for call in evidence.recording.calls.values():
        if call.args and isinstance(call.args[0], Tensor) and _of_one(call, evidence):
            return _finding(evidence, evidence.place(call.at), tuple(call.args[0].shape), _agreement(evidence, call))
    return _in_numpy(evidence)


def _of_one(call: Call, evidence: Evidence) -> bool:
    values = call.args[0]
    given = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    if call.name not in ("argmax", "max", "topk") or values.ndim == 0:
        return False
    if call.name == "topk":
        given = call.kwargs.get("dim", call.args[2] if len(call.args) > 2 else -1)
    if given is None:
        return call.name == "argmax" and values.numel() == 1
    if not isinstance(given, int) or values.shape[given] != 1:
        return False
    if given % values.ndim == 0 and values.numel() > 1:
        return False  # over the rows, of which there happens to be one
    return call.name == "argmax" or _takes_index(call, evidence)


def _takes_index(call: Call, evidence: Evidence) -> bool:
    """Whether the line uses the index that ``max`` gives, and not the value alone."""
    line = call.at[1] if call.at is not None else 0
    for node in ast.walk(evidence.tree):
        if not getattr(node, "lineno", line + 1) <= line <= (getattr(node, "end_lineno", None) or line):
            continue
        if isinstance(node, ast.Attribute) and node.attr == "indices":
            return True
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value == 1:
            return True
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            return True
    return False


def _in_numpy(evidence: Evidence) -> Finding | None:
    """The same of an array that predictions were made into."""
    seen = [c for c in evidence.recording.calls.values() if c.name == "numpy" and c.args]
    shapes = {tuple(c.args[0].shape): c for c in seen if isinstance(c.args[0], Tensor)}
    lines = {c.at[1]: tuple(c.args[0].shape) for c in seen if c.at is not None and isinstance(c.args[0], Tensor)}
    for node in evidence.calls("argmax"):
        axis = next((k.value for k in node.keywords if k.arg in ("axis", "dim")), node.args[-1] if node.args else None)
        value = ast.unparse(axis) if axis is not None else ""
        if value not in ("1", "-1"):
            continue
        array = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(array, ast.Name) and array.id in ("np", "numpy") and node.args:
            array = node.args[0]
        known: Any = evidence.recording.globals.get(array.id) if isinstance(array, ast.Name) else None
        shape = tuple(known.shape) if isinstance(known, np.ndarray) else lines.get(node.lineno)
        if shape is not None and len(shape) == 2 and shape[1] == 1 and shape in shapes:
            return _finding(evidence, evidence.line(node), shape, None)
    return None


def _agreement(evidence: Evidence, call: Call) -> tuple[float, float] | None:
    """Share of right predictions with index 0 for all, and with a threshold; None where no targets are compared."""
    found = call.answer if isinstance(call.answer, Tensor) else tuple(call.answer)[1]
    for other in evidence.recording.calls.values():
        if other.name not in ("eq", "__eq__", "ne", "__ne__") or len(other.args) < 2:
            continue
        pair = other.args[:2]
        target = next((b for a, b in (pair, pair[::-1]) if a is found and isinstance(b, Tensor)), None)
        if target is None or target.numel() != found.numel():
            continue
        values = call.args[0].detach().reshape(-1).double()
        probability = bool(((values >= 0) & (values <= 1)).all())
        called = values > (0.5 if probability else 0.0)
        target = target.reshape(-1)
        return float((target == 0).double().mean()), float((called == (target > 0)).double().mean())
    return None


def _finding(
    evidence: Evidence, where: Place | None, shape: tuple[int, ...], share: tuple[float, float] | None
) -> Finding:
    told = "" if share is None else f": {100 * share[0]:.3g} % are right, with a threshold {100 * share[1]:.3g} %"
    training = next((t for t in evidence.trainings if t.linear is not None and t.linear.outputs == 1), None)
    return Finding(
        rule="argmax-on-single-output",
        severity=Severity.ERROR,
        what=f"the largest of one output is looked for in values of shape {shape}, so every row is called 0{told}",
        where=where,
        measured=Number(1, "outputs to choose from", "1"),
        bound=Number(2, "needed", "2"),
        why="The index of the largest of one number is 0 whatever the model says. The accuracy is the share of zeros"
        " among the targets.",
        fix="predicted = (model(X).squeeze(1) > 0).float()  # scores; probabilities: > 0.5",
        tried=_tried(training, share) if evidence.attempt and training is not None else None,
        weight=1.0,
    )


def _tried(training: Recovered, share: tuple[float, float] | None) -> Tried | None:
    with torch.no_grad():
        tried = attempt(training, training.minimised, "the same weights with a threshold", own_recipe=False)
    if tried is None or share is None:
        return tried
    before = tried.before
    return replace(tried, before=replace(before, accuracy=share[0]), after=replace(before, accuracy=share[1]))
