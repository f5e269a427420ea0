"""Gradients are not cleared, so each update uses the sum of all gradients so far.

## What it finds

`backward()` adds to `.grad`. The rule looks at `.grad` right before a backward pass: if an update has been made with
it since, it should be empty. The number is its size beside that of the gradient which this pass adds.

## Why it matters

Each update takes the sum of all gradients so far for the gradient. The weights swing around the solution as if on a
spring, with a swing that does not die down, whatever the learning rate.

## Example

```python
for X, y in loader:
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
```

## Instead

```python
for X, y in loader:
    optimizer.zero_grad()
    loss = criterion(model(X), y)
    loss.backward()
    optimizer.step()
```

## How sure

Certain: gradients are compared bit for bit. Several backward passes before one update, which is how gradients are
added up on purpose, are not counted, nor are gradients that were scaled or set by hand in between.
"""

from __future__ import annotations

import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _updates as updates
from sightline.check.trying import attempt
from sightline.check.watching.stretch import Beat, Stretch

FEWEST = 2  # passes before which an applied gradient was still there
IDLE = 3  # passes without any update and without any clearing


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """What was left in .grad before each pass, beside what the pass adds."""
    stretch = training.stretch
    left: dict[int, list[float]] = {}
    for one, two in updates.pairs(stretch):
        for i in _carried(stretch, one, two):
            own = updates.norm([two.own_gradient()[i]])
            before = updates.norm([two.before[i]])
            left.setdefault(i, []).append(before / own if own else math.inf)
    kept = {i: ratios for i, ratios in left.items() if len(ratios) >= FEWEST}
    if not kept:
        return None
    moved = [i for i, unmoved in enumerate(updates.still(stretch)) if not unmoved and i in kept]
    names = [stretch.names[i] for i in sorted(moved or kept)]
    ratio = max((r for ratios in kept.values() for r in ratios if math.isfinite(r)), default=math.inf)
    passes = max(len(r) for r in kept.values())
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same training with gradients cleared in each pass")
    which = "" if len(kept) == len(stretch.parameters) else f" of {updates.listed(names)}"
    if moved:
        what = f"the gradients{which} are never cleared: what is left in .grad is up to {ratio:.3g} times a pass's own"
    else:
        what = f"the gradients{which} pile up: .grad holds up to {ratio:.3g} times a pass's own, and nothing clears it"
    step = evidence.call("backward")
    optimizers = updates.holders(stretch, evidence)
    name = names[0] if len(names) == 1 else "p"
    clear = f"{name}.grad = None" if len(names) == 1 else f"for p in [{', '.join(names[:4])}]:\n    p.grad = None"
    return Finding(
        rule="missing-zero-grad",
        severity=Severity.ERROR if moved else Severity.WARNING,
        what=what,
        where=step or evidence.place(stretch.at),
        measured=Number(ratio, "left over / own gradient"),
        bound=Number(0.0, "after an update", "0"),
        why="backward() adds to .grad. Updates with the sum of all gradients so far swing around the solution instead"
        f" of settling there; seen before {passes} of the passes that were looked at closely.",
        fix="optimizer.zero_grad()\nloss.backward()" if optimizers else clear,
        tried=tried,
        weight=1.0,
    )


def _carried(stretch: Stretch, one: Beat, two: Beat) -> list[int]:
    """The parameters whose gradient of one pass was applied and was still there before the next."""
    kinds = [e.kind for e in two.events]
    if two.returned or one.returned or "grad set" in kinds or "grad changed" in kinds:
        return []
    idle = all(updates.still(stretch))
    stepped = any(updates.changes(stretch, e) for e in two.events)
    found = []
    for i, before in enumerate(two.before):
        if before is None or i >= len(one.after) or one.after[i] is None or not bool(before.any()):
            continue
        after = one.after[i]
        assert after is not None
        clipped = "clip" in kinds
        if not clipped and not updates.same(before, after):
            continue
        moved = not updates.same(one.weights[i], two.weights[i])
        if moved or (idle and not stepped and two.number >= IDLE):
            found.append(i)
    return found

