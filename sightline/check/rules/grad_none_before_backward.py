"""A gradient is used that no backward pass has made.

## What it finds

`w.grad` is None where it is read: before the first `backward()`, or on a tensor that is the result of a computation
and no leaf any more; steps of an optimizer without a single `backward()`; and `backward()` of a loss in which nothing
requires a gradient. The rule looks at the tensor itself.

## Why it matters

The script stops with a message about NoneType, or, with an optimizer, goes on and changes nothing: `step()` skips
parameters without a gradient.

## Example

```python
for i in range(100):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    w = w - 0.1 * w.grad              # from now on w is a result, not a leaf
```

## Instead

```python
for i in range(100):
    loss = ((X @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
```

## How sure

Certain: the tensor was there, and its gradient was not.
"""

from __future__ import annotations

import ast
from typing import Any

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing
from sightline.check.watching.operations import tensors

RULE = "grad-none-before-backward"


def find_in_script(evidence: Evidence) -> Finding | None:
    """Where a gradient was wanted and there was none."""
    return _read(evidence) or _no_leaf(evidence) or _nothing_requires(evidence) or _never_called(evidence)


def _read(evidence: Evidence) -> Finding | None:
    """``w.grad`` in the failing line is None."""
    if not isinstance(evidence.error, AttributeError | TypeError) or "NoneType" not in evidence.message:
        return None
    for where, names in reversed(evidence.frames):
        line = failing.statement(evidence, where)
        for node in ast.walk(line) if line is not None else ():
            if not isinstance(node, ast.Attribute) or node.attr != "grad":
                continue
            owner = failing.value(node.value, names)
            if isinstance(owner, Tensor) and _gradient(owner) is None:
                return _of_tensor(evidence, ast.unparse(node.value), owner)
    return None


def _of_tensor(evidence: Evidence, name: str, owner: Tensor) -> Finding:
    passes = evidence.recording.backwards
    if not owner.is_leaf:
        why = f"Only leaves get a .grad. {name} is the result of a computation ({_maker(owner)}), not the tensor that"
        why += " was made with requires_grad. Change the leaf in place, under no_grad."
        fix = f"with torch.no_grad():\n    {name} -= lr * {name}.grad\n{name}.grad = None"
        what = f"{name}.grad is None: {name} is no leaf, so backward() puts no gradient there"
    elif not owner.requires_grad:
        why = f"backward() fills the .grad of leaves that require a gradient; {name} does not."
        fix = f"{name}.requires_grad_()"
        what = f"{name}.grad is None: {name} does not require a gradient"
    elif not passes:
        why = "A tensor has no gradient until the first backward() has made one; until then there is nothing to clear."
        fix = f"if {name}.grad is not None:\n    {name}.grad.zero_()"
        what = f"{name}.grad is None when it is read: backward() has not been called yet"
    else:
        why = "backward() fills the .grad of the tensors that the loss depends on, and of no others."
        fix = f"{name}.grad = None        # clear it this way: it also works where there is none"
        what = f"{name}.grad is None after {passes:,} backward passes: the loss does not depend on {name}"
    return _finding(evidence, what, Number(passes, "backward passes before", f"{passes:,}"), why, fix)


def _no_leaf(evidence: Evidence) -> Finding | None:
    """An optimizer is given the result of a computation."""
    if not isinstance(evidence.error, ValueError):
        return None
    for frame in failing.every_frame(evidence):
        if frame.f_code is not torch.optim.Optimizer.add_param_group.__code__:
            continue
        given = [t for t in tensors(list(frame.f_locals.get("param_group", {}).get("params", ()))) if not t.is_leaf]
        if given:
            name = failing.name_of_value(given[0], failing.visible(evidence)) or "w"
            return _finding(
                evidence, f"{name} {failing.shape(given[0])}, given to the optimizer, is no leaf ({_maker(given[0])})",
                Number(len(given), "results of computations given to the optimizer", str(len(given))),
                "backward() puts gradients into leaves alone, so the optimizer would never find one there.",
                f"{name} = {name}.detach().requires_grad_()",
            )  # fmt: skip
    return None


def _nothing_requires(evidence: Evidence) -> Finding | None:
    """A loss that depends on nothing that requires a gradient."""
    failure = evidence.failure
    if failure is None or failure.name not in ("backward", "grad") or not isinstance(failure.error, RuntimeError):
        return None
    loss = next((t for t in tensors(failure.args[0])), None)
    if loss is None or loss.requires_grad:
        return None
    models = [(name, m) for name, m in failing.modules(evidence) if any(True for _ in m.parameters())]
    frozen = next((name for name, m in models if not any(p.requires_grad for p in m.parameters())), None)
    if frozen is not None:
        why, fix = f"All parameters of {frozen} are frozen.", f"{frozen}.requires_grad_()"
    elif models:
        why = "Between parameters and loss the graph is cut: by no_grad, detach, item, numpy, argmax or rounding."
        fix = "loss = criterion(model(X), y)        # from the scores themselves, outside no_grad"
    else:
        why = "Tensors are not trained unless they were made with requires_grad."
        fix = "w = torch.zeros(..., requires_grad=True)"
    what = "backward() is called on a loss that depends on nothing that requires a gradient"
    return _finding(evidence, what, Number(0, "tensors that require a gradient", "0"), why, fix)


def _never_called(evidence: Evidence) -> Finding | None:
    """Steps of an optimizer, and no backward pass at all."""
    recording = evidence.recording
    if recording.backwards or recording.ending == "error":
        return None
    for seen in recording.optimizers:
        given = seen.parameters
        if seen.steps < 2 or not given or any(_gradient(p) is not None for p in given):
            continue
        if any(event.kind == "grad set" for event in recording.stray_events):
            continue
        where = evidence.call("step") or evidence.place(seen.at)
        what = f"{seen.steps:,} steps and no backward(): all {len(given)} gradients are None, and step() skips these"
        return Finding(
            rule=RULE, severity=Severity.ERROR, what=what, where=where,
            measured=Number(0, "backward passes", "0"), bound=Number(seen.steps, "steps", f"{seen.steps:,}"),
            why="The loss is computed but never differentiated, so there is no direction in which to go.",
            fix="optimizer.zero_grad()\nloss.backward()\noptimizer.step()", weight=1.0,
        )  # fmt: skip
    return None


def _finding(evidence: Evidence, what: str, measured: Number, why: str, fix: str) -> Finding:
    return Finding(
        rule=RULE, severity=Severity.ERROR, what=what, where=evidence.where_it_failed, measured=measured,
        bound=Number(1, "at least", "1") if measured.value == 0 else None, why=why, fix=fix, weight=1.0,
    )  # fmt: skip


def _gradient(tensor: Tensor) -> Any:
    """A leaf's gradient; None for what has none, without PyTorch's warning."""
    return tensor.grad if tensor.is_leaf else (tensor.grad if tensor.retains_grad else None)


def _maker(tensor: Tensor) -> str:
    """"SubBackward0"."""
    return type(tensor.grad_fn).__name__


