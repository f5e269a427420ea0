"""The data hold values that are not finite.

## What it finds

nan or infinite values among the rows or targets that the loss is computed from, where the loss is nan for them. The
rule counts them, by row and by column.

## Why it matters

One nan in a batch makes the loss nan, then the gradient, and after one step every weight. From there on nothing is
learnt.

## Example

```python
X = (X - X.mean(0)) / X.std(0)         # a constant column: 0 / 0 is nan
```

## Instead

```python
spread = X.std(0)
X = (X - X.mean(0)) / torch.where(spread > 0, spread, 1.0)
```

## How sure

Certain: the values are counted in the tensors that the first loss without a finite value was computed from, with
weights that were finite. Values that a mask keeps out of the loss are not counted.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt
from sightline.check.watching.operations import tensors


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Inputs that are not finite, of passes whose loss is not."""
    stretch = training.stretch
    if training.whole_program is None or all(math.isfinite(x) for x in stretch.losses):
        return None
    if not all(bool(torch.isfinite(w).all()) for w in stretch.start):
        return None
    entries = training.entries
    bad = [sum(_bad(t) for t in entry) for entry in entries]
    if not any(bad):
        return None
    tried = None
    if evidence.attempt:
        mended = _mended(training)
        tried = attempt(mended, mended.minimised, "missing values replaced by their column's mean")
    widest = max((t for e, n in zip(entries, bad) if n for t in e if _bad(t)), key=_bad)
    first = next(i for i, n in enumerate(bad) if n)
    return _finding(evidence, widest, stretch.namespace, first, len(stretch.losses), tried)


def find_in_script(evidence: Evidence) -> Finding | None:
    """Tensors that are not finite where a loss refused them, before any pass was made."""
    failure = evidence.failure
    if failure is None or evidence.recording.backwards:
        return None
    names = failing.visible(evidence)
    given = next((t for t in tensors((failure.args, failure.kwargs)) if _bad(t)), None)
    if given is None:
        return None
    held = [(n, v) for n, v in names.items() if isinstance(v, Tensor) and not v.requires_grad and _bad(v)]
    source = held[0][1] if held else given
    if source.requires_grad:
        return None
    return _finding(evidence, source, names, 0, 0, None)


def _finding(
    evidence: Evidence, values: Tensor, names: dict[str, Any], first: int, passes: int, tried: Any
) -> Finding:
    count, total = _bad(values), values.numel()
    wrong = ~torch.isfinite(values)
    table = wrong.reshape(len(values), -1) if values.ndim else wrong.reshape(1, 1)
    rows, columns = int(table.any(1).sum()), int(table.any(0).sum())
    whole = int(table.all(0).sum())
    kind = "nan" if bool(values.isnan().any()) else "infinite"
    where, name = _made(evidence, names)
    if whole and table.shape[1] > 1:
        what = f"{whole} of {table.shape[1]} columns {'is' if whole == 1 else 'are'} {kind} in every row"
        fix = f"spread = {name}.std(0)\n{name} = ({name} - {name}.mean(0)) / torch.where(spread > 0, spread, 1.0)"
    else:
        what = f"{count:,} of {total:,} values are {kind}, in {rows:,} of {len(table):,} rows and {columns} of"
        what += f" {table.shape[1]} columns"
        fix = f"{name} = torch.where({name}.isfinite(), {name}, {name}.nanmean(0))"
    if passes:
        what += f": the loss is not finite from pass {first + 1:,} on"
    return Finding(
        rule="nan-in-data",
        severity=Severity.ERROR,
        what=what,
        where=where or evidence.call("backward"),
        measured=Number(count, "values that are not finite", f"{count:,}"),
        bound=Number(0, "allowed", "0"),
        why="One such value makes the loss nan, its gradient nan and, after one step, every weight.",
        fix=fix,
        tried=tried,
        weight=1.0,
    )


def _bad(tensor: Tensor) -> int:
    """How many values are nan or infinite."""
    return int((~torch.isfinite(tensor)).sum()) if tensor.is_floating_point() else 0


def _made(evidence: Evidence, names: dict[str, Any]) -> tuple[Place | None, str]:
    """The last line that makes a tensor with such values, and what it is called there."""
    found: list[tuple[Place, str]] = []
    spaces = {**evidence.recording.globals, **names}
    for node in ast.walk(evidence.tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            held = spaces.get(target.id) if isinstance(target, ast.Name) else None
            data = isinstance(held, Tensor) and held.numel() > 1 and not held.requires_grad
            if isinstance(target, ast.Name) and isinstance(held, Tensor) and data and _bad(held):
                found.append((evidence.line(node), target.id))
    return found[-1] if found else (None, "X")


def _mended(training: Recovered) -> Recovered:
    """The same training with values that are not finite replaced by the mean of the others of their column."""
    program = training.whole_program
    assert program is not None
    known: dict[int, Tensor] = {}

    def clean(tensor: Tensor) -> Tensor:
        if not _bad(tensor):
            return tensor
        if id(tensor) not in known:
            finite = torch.where(torch.isfinite(tensor), tensor, torch.full_like(tensor, math.nan))
            mean = finite.nanmean(0, keepdim=True).nan_to_num(0.0)
            known[id(tensor)] = torch.where(torch.isfinite(tensor), tensor, mean.expand_as(tensor))
        return known[id(tensor)]

    mended = Recovered(training.stretch)
    mended.whole_program = replace(program, values={s: clean(v) for s, v in program.values.items()})
    mended.entries = [[clean(t) for t in entry] for entry in training.entries]
    mended.weights = mended.start
    return mended
