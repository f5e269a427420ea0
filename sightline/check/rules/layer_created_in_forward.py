"""Layers or parameters are made anew in each forward pass.

## What it finds

Weights that take part in one pass alone: `forward` makes a layer, or a parameter, each time it is called. The rule
counts the tensors that took each other's place; where the script stops before its first pass it looks for layers that
`forward` makes.

## Why it matters

Each pass uses other random weights. What the optimizer holds is never used again, and nothing is learnt.

## Example

```python
def forward(self, x):
    return nn.Linear(8, 2)(x)
```

## Instead

```python
def __init__(self):
    super().__init__()
    self.linear = nn.Linear(8, 2)

def forward(self, x):
    return self.linear(x)
```

## How sure

Certain: the tensors are counted. Layers without parameters, as nn.ReLU() or nn.Flatten(), may be made anywhere, and a
new model for each fold of a cross-validation is one that is trained for more than a pass.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from torch import nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt
from sightline.check.watching.stretch import Stretch

RULE = "layer-created-in-forward"
FEWEST = 3  # tensors in one place


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Parameters that join a training in one pass and take part in no other."""
    stretch = training.stretch
    if stretch.recreated:
        return None
    looks = [b for b in stretch.beats if b.number < len(stretch.beats)]
    once: dict[tuple[int, ...], int] = {}
    for i, parameter in enumerate(stretch.parameters):
        used = [b.number for b in looks if i < len(b.weights) and bool(b.own_gradient()[i].any())]
        if len(used) == 1 and isinstance(parameter, nn.Parameter):
            once[tuple(parameter.shape)] = once.get(tuple(parameter.shape), 0) + 1
    most = max(once.values(), default=0)
    if most < FEWEST or most < len(looks) - 1 or stretch.module is None:
        return None
    return _finding(training, evidence, stretch, most, len(looks))


def find_in_script(evidence: Evidence) -> Finding | None:
    """Trainings of a single pass each, one like the other; or a model without parameters whose forward makes layers."""
    alike: dict[Any, list[Stretch]] = {}
    for stretch in evidence.recording.stretches:
        made = stretch.module is not None and all(isinstance(p, nn.Parameter) for p in stretch.parameters)
        stepped = stretch.counts.get("step", 0) + stretch.counts.get("update", 0)
        if made and stepped and stretch.backwards == 1:
            key = (stretch.at, type(stretch.module), tuple(tuple(p.shape) for p in stretch.parameters))
            alike.setdefault(key, []).append(stretch)
    for stretches in alike.values():
        if len(stretches) >= FEWEST:
            return _finding(Recovered(stretches[0]), evidence, stretches[0], len(stretches), len(stretches))
    return _by_its_text(evidence)


def _finding(training: Recovered, evidence: Evidence, stretch: Stretch, tensors: int, passes: int) -> Finding:
    module = stretch.module
    kind = type(module).__name__
    made = next((at for at, _, _ in evidence.recording.made_in_forward if at is not None), None)
    where = evidence.place(made) or _line(evidence, type(module)) or evidence.place(stretch.at)
    registered = 0 if module is None else sum(p.numel() for p in module.parameters())
    tried: Tried | None = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same training with the layer made once")
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=f"{kind} makes weights anew in each pass: {tensors} different tensors in {passes} passes, each used once",
        where=where,
        measured=Number(tensors, f"weight tensors in {passes} passes", str(tensors)),
        bound=Number(1, "a layer has", "1"),
        why=f"What forward makes is random, is not what the optimizer holds ({registered:,} numbers are registered) and"
        " is gone after the pass.",
        fix=_fix(where),
        tried=tried,
        weight=1.0,
    )


def _fix(where: Place | None) -> str:
    code = "self.linear = nn.Linear(..., ...)"
    if where is not None and where.code.startswith("self."):
        code = where.code
    return f"def __init__(self, ...):\n    super().__init__()\n    {code}"


def _by_its_text(evidence: Evidence) -> Finding | None:
    """Where the script stopped with a model that has no parameters: the line in which its forward makes some."""
    if evidence.error is None or evidence.recording.backwards:
        return None
    for name, module in failing.modules(evidence):
        if any(True for _ in module.parameters()):
            continue
        where = _line(evidence, type(module))
        if where is not None:
            return Finding(
                rule=RULE, severity=Severity.ERROR,
                what=f"{type(module).__name__} makes a layer in forward, anew at each call; {name} has 0 parameters",
                where=where, measured=Number(0, f"parameters of {name}", "0"), bound=Number(1, "at least", "1"),
                why="What forward makes is random at each call and no part of the module. Layers are made in __init__.",
                fix=_fix(where), weight=0.8,
            )  # fmt: skip
    return None


def _line(evidence: Evidence, kind: type) -> Place | None:
    """The line in which forward, or a method that it calls, makes a layer with weights or a parameter."""
    tree = next((n for n in ast.walk(evidence.tree) if isinstance(n, ast.ClassDef) and n.name == kind.__name__), None)
    if tree is None:
        return None
    methods = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    names = {**failing.visible(evidence), **getattr(getattr(kind, "forward", None), "__globals__", {})}
    asked, wanted = [], ["forward"]
    while wanted:
        name = wanted.pop()
        if name in asked or name not in methods or name == "__init__":
            continue
        asked.append(name)
        for node in ast.walk(methods[name]):
            if not isinstance(node, ast.Call):
                continue
            made = failing.value(node.func, names)
            own = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
            if own and isinstance(node.func, ast.Attribute):
                wanted.append(node.func.attr)
            if isinstance(made, type) and (made is nn.Parameter or _has_weights(made)):
                return replace(evidence.line(node), function=name)
    return None


def _has_weights(kind: type) -> bool:
    """Whether a module's class is one that makes weights: such ones can start them anew."""
    return issubclass(kind, nn.Module) and hasattr(kind, "reset_parameters")
