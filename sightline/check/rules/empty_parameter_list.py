"""The optimizer is given no parameters.

## What it finds

An optimizer that is made of an empty list, and why the list is empty: the model has no parameters, all of them are
frozen, or the generator that `parameters()` returns was used up before. The rule counts the tensors.

## Why it matters

There is nothing to train. PyTorch refuses an empty list with an error, but not a group that is empty.

## Example

```python
params = model.parameters()                          # a generator
print(sum(p.numel() for p in params))                # uses it up
optimizer = torch.optim.SGD(params, lr=0.1)          # nothing is left
```

## Instead

```python
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
```

## How sure

Certain: the number is that of the tensors that the optimizer was given. An optimizer with one empty group among
others is not counted.
"""

from __future__ import annotations

import ast
from types import GeneratorType
from typing import Any

import torch
from torch import nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt

RULE = "empty-parameter-list"


def find_in_script(evidence: Evidence) -> Finding | None:
    """The optimizer whose making failed: what it was given, and what the model has."""
    given = _given(evidence)
    if given is failing.MISSING:
        return None
    where = evidence.where_it_failed
    asked = _model(evidence, where)
    name, model = asked if asked is not None else ("model", None)
    what, why, fix = _reason(name, model, given, where)
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=what,
        where=where,
        measured=Number(0, "parameters given to the optimizer", "0"),
        bound=Number(1, "at least", "1"),
        why=why,
        fix=fix,
        weight=0.9,
    )


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Optimizers whose groups are all empty, which PyTorch does not refuse."""
    stretch = training.stretch
    seen = next((s for s in evidence.recording.optimizers if s.steps and not s.parameters), None)
    held = {id(p) for o in evidence.recording.optimizers for p in o.parameters}
    if seen is None or any(id(p) in held for p in stretch.parameters) or stretch.counts.get("update", 0):
        return None
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same optimizer on all of the model's parameters")
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=f"the optimizer made {seen.steps:,} steps and holds no parameters",
        where=evidence.place(seen.at),
        measured=Number(0, "parameters given to the optimizer", "0"),
        bound=Number(len(stretch.parameters), "parameters that the loss depends on", str(len(stretch.parameters))),
        why="A group with an empty list is accepted without a word, and step() goes through it without doing anything.",
        fix=f"optimizer = torch.optim.{seen.kind}(model.parameters(), lr=...)",
        tried=tried,
        weight=0.9,
    )


def _given(evidence: Evidence) -> Any:
    """What the optimizer's constructor was given where that was empty; ``MISSING`` elsewhere."""
    for frame in failing.every_frame(evidence):
        own = frame.f_locals
        making = frame.f_code is torch.optim.Optimizer.__init__.__code__
        if making and isinstance(evidence.error, ValueError) and own.get("param_groups") == []:
            return own.get("params")
    return failing.MISSING


def _model(evidence: Evidence, where: Place | None) -> tuple[str, nn.Module] | None:
    """The model whose parameters were asked for: the one named in the line, or else the only one there is."""
    names = evidence.frames[-1][1] if evidence.frames else {}
    line = failing.statement(evidence, where)
    for node in ast.walk(line) if line is not None else ():
        if isinstance(node, ast.Attribute) and node.attr in ("parameters", "named_parameters"):
            held = failing.value(node.value, names)
            if isinstance(held, nn.Module):
                return ast.unparse(node.value), held
    seen = failing.modules(evidence)
    return next(((name, m) for name, m in seen if any(True for _ in m.parameters())), seen[0] if seen else None)


def _reason(name: str, model: nn.Module | None, given: Any, where: Place | None) -> tuple[str, str, str]:
    """(what, why, fix)."""
    code = "torch.optim.SGD(model.parameters(), lr=...)" if where is None else where.code
    if model is None:
        return (
            "the optimizer is given an empty list of parameters",
            "There is nothing that it could change. Hand it the tensors that require a gradient.",
            code,
        )
    count = sum(1 for _ in model.parameters())
    trained = sum(p.requires_grad for p in model.parameters())
    if count and not trained:
        return (
            f"0 of the {count} parameters of {name} require a gradient, so the optimizer is given none",
            "Frozen parameters are left out of the list, and here all of them are frozen.",
            f"for p in {name}.parameters():\n    p.requires_grad_(True)",
        )
    if count and isinstance(given, GeneratorType):
        return (
            f"the optimizer is given 0 parameters although {name} has {count}: the generator was used up before",
            "parameters() returns a generator, which can be gone through once. What counts or prints them leaves"
            " nothing for the optimizer.",
            f"params = list({name}.parameters())",
        )
    if count:
        return (
            f"the optimizer is given 0 parameters although {name} has {count}",
            "The list was empty when the optimizer was made.",
            f"{name}.parameters()",
        )
    kind = type(model).__name__
    if isinstance(model, nn.Sequential | nn.ModuleList | nn.ModuleDict) and len(model) == 0:
        return (
            f"{name} is an empty {kind}: the optimizer is given 0 parameters",
            f"{kind} takes over the layers that are in the list when it is made. What is appended later never reaches"
            " it.",
            f"layers.append(...)                # first all layers\n{name} = nn.{kind}(*layers)",
        )
    return (
        f"{name} ({kind}) has 0 parameters, so the optimizer is given none",
        "parameters() lists the layers and nn.Parameters that __init__ assigned to self. There are none.",
        "def __init__(self, ...):\n    super().__init__()\n    self.linear = nn.Linear(..., ...)",
    )
