"""Weights that the model uses are not among its parameters().

## What it finds

Layers in a plain list or dict, and tensors that are no nn.Parameter: they take part in the loss and get a gradient,
but `parameters()` does not list them. The rule compares the tensors that the loss depends on with those that are
registered, and looks whether they ever changed.

## Why it matters

The optimizer never sees them. They keep their random start, and the rest of the model learns around them.

## Example

```python
self.layers = [nn.Linear(2, 1) for _ in range(3)]
self.b = torch.zeros(1, requires_grad=True)
```

## Instead

```python
self.layers = nn.ModuleList(nn.Linear(2, 1) for _ in range(3))
self.b = nn.Parameter(torch.zeros(1))
```

## How sure

Certain: these tensors have a gradient that is not zero, and are bit for bit what they were, while others changed.
Buffers and constants, which get no gradient, are not counted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.rules import _updates as updates
from sightline.check.trying import attempt

RULE = "unregistered-parameters"
DEPTH = 4


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Parameters of the loss that stay behind while others move, and are not registered."""
    stretch = training.stretch
    still, pulled = updates.still(stretch), updates.pulled(stretch)
    if all(still) or stretch.recreated or stretch.backwards < 2:
        return None
    held = {id(p) for o in evidence.recording.optimizers for p in o.parameters}
    registered = set() if stretch.module is None else {id(p) for p in stretch.module.parameters()}
    left = [
        i for i, p in enumerate(stretch.parameters)
        if still[i] and pulled[i] and id(p) not in held and id(p) not in registered
    ]  # fmt: skip
    if updates.replaced(stretch, evidence):
        return None  # the optimizer holds tensors of before: that is the fault, not who registers what
    lasting = _lasting(training, left)
    if not lasting or (stretch.module is None and not updates.holders(stretch, evidence)):
        return None
    module = stretch.module
    paths = [] if module is None else [_path(module, stretch.parameters[i]) for i in lasting]
    attribute = next((p for p in paths if p), "")
    names = [f"self.{p}" if p else stretch.names[i] for i, p in zip(lasting, paths or [""] * len(lasting))]
    numbers = sum(stretch.parameters[i].numel() for i in lasting)
    size = updates.norm([stretch.beats[0].own_gradient()[i] for i in lasting if i < len(stretch.beats[0].weights)])
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same training with all of them among the parameters")
    where, fix = _mend(evidence, attribute, names[0], module)
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=f"{updates.listed(names)} {'is' if len(names) == 1 else 'are'} used and not registered: {numbers:,} of"
        f" {stretch.size:,} numbers never change, though their gradient's norm is {size:.3g}",
        where=where or evidence.optimizer_line(training),
        measured=Number(stretch.size - numbers, "numbers that the optimizer has", f"{stretch.size - numbers:,}"),
        bound=Number(stretch.size, "numbers that the loss depends on", f"{stretch.size:,}"),
        why="parameters() lists nn.Parameters and modules that are attributes of a module, alone or in a ModuleList,"
        " ModuleDict or Sequential. Plain tensors, lists and dicts are passed over." if module is not None else
        "The optimizer changes what it was given, and these were not among it.",
        fix=fix,
        tried=tried,
        weight=1.0,
    )  # fmt: skip


def find_in_script(evidence: Evidence) -> Finding | None:
    """A model whose list of parameters is empty because all its layers are in plain lists."""
    if not isinstance(evidence.error, ValueError) or "empty parameter list" not in evidence.message:
        return None
    for _, module in failing.modules(evidence):
        if any(True for _ in module.parameters()):
            continue
        found = [(path, t) for path, t in _hidden(module) if t.requires_grad]
        if not found:
            continue
        where, fix = _mend(evidence, found[0][0], f"self.{found[0][0]}", module)
        return Finding(
            rule=RULE, severity=Severity.ERROR,
            what=f"{len(found)} tensors that require a gradient are held by {type(module).__name__} and not registered:"
            f" {updates.listed([f'self.{path}' for path, _ in found])}",
            where=where, measured=Number(0, "parameters registered", "0"),
            bound=Number(len(found), "held", str(len(found))),
            why="parameters() lists nn.Parameters and modules that are attributes of a module, or in a ModuleList."
            " Plain tensors, lists and dicts are passed over.",
            fix=fix, weight=0.8,
        )  # fmt: skip
    return None


def _lasting(training: Recovered, left: list[int]) -> list[int]:
    """Those that took part in more than one pass: others are made anew in each, which is another rule's."""
    found = []
    for i in left:
        passes = sum(bool(b.own_gradient()[i].any()) for b in training.stretch.beats if i < len(b.weights))
        if passes > 1:
            found.append(i)
    return found


def _hidden(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Tensors that a module holds without having registered them, with the way to each."""
    for inner, part in module.named_modules():
        before = f"{inner}." if inner else ""
        for name, value in vars(part).items():
            if not name.startswith("_"):
                yield from _within(f"{before}{name}", value, DEPTH)


def _within(path: str, value: Any, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, nn.Module):
        for name, parameter in value.named_parameters():
            yield f"{path}.{name}", parameter
    elif depth and isinstance(value, list | tuple):
        for i, item in enumerate(value[:100]):
            yield from _within(f"{path}[{i}]", item, depth - 1)
    elif depth and isinstance(value, dict):
        for key, item in list(value.items())[:100]:
            yield from _within(f"{path}[{key!r}]", item, depth - 1)


def _path(module: nn.Module, wanted: Tensor) -> str:
    return next((path for path, tensor in _hidden(module) if tensor is wanted), "")


def _mend(evidence: Evidence, path: str, name: str, module: nn.Module | None) -> tuple[Place | None, str]:
    """The line that makes the attribute, and that line registering it."""
    attribute = path.split("[", 1)[0].split(".", 1)[0]
    value = getattr(module, attribute, None) if attribute else None
    kind = "nn.ModuleList" if isinstance(value, list | tuple) else "nn.ModuleDict" if isinstance(value, dict) else ""
    if isinstance(value, Tensor) or (isinstance(value, list | tuple) and value and isinstance(value[0], Tensor)):
        kind = "nn.Parameter" if isinstance(value, Tensor) else "nn.ParameterList"
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            target = node.targets[0]
            if target.attr == attribute and isinstance(target.value, ast.Name) and target.value.id == "self" and kind:
                return evidence.line(node), f"self.{attribute} = {kind}({ast.unparse(node.value)})"
    if attribute and kind:
        return None, f"self.{attribute} = {kind}(...)"
    return None, f"optimizer.add_param_group({{'params': [{name}]}})"
