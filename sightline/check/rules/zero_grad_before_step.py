"""Gradients are cleared between backward() and the update.

## What it finds

A backward pass whose gradients are cleared before the update reads them. The rule follows the events in their order,
and looks at the gradients that `step()` found and at whether the weights changed.

## Why it matters

The update finds no gradient, or zeros, and changes nothing. The loss stays where it was.

## Example

```python
loss.backward()
optimizer.zero_grad()
optimizer.step()
```

## Instead

```python
optimizer.zero_grad()
loss.backward()
optimizer.step()
```

## How sure

Certain: the norm of the gradient after `backward()` and that at the update are both measured. Clearing after the
update is the other right place, and is not counted.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _updates as updates
from sightline.check.trying import attempt
from sightline.check.watching.stretch import Event

FEWEST = 2  # passes in a row


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Events between one backward pass and the next, in their order."""
    stretch = training.stretch
    wiped, used, own = 0, 0, 0.0
    cleared = None
    for one, two in updates.pairs(stretch):
        size = updates.norm(one.own_gradient())
        if one.returned or not size:
            continue
        event = _cleared_first(two.events)
        found = event is not None and all(updates.same(a, b) for a, b in zip(one.weights, two.weights))
        changes = any(updates.changes(stretch, e) for e in two.events)
        wiped, used = wiped + found, used + (changes and not found)
        if found and cleared is None:
            cleared, own = event, size
    if wiped < FEWEST or used or cleared is None:
        return None
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same training, gradients cleared before backward()")
    optimizers = updates.holders(stretch, evidence)
    return Finding(
        rule="zero-grad-before-step",
        severity=Severity.ERROR,
        what=f"the gradients are cleared between backward() and the update: their norm falls from {own:.3g} to 0,"
        " and the weights never change",
        where=evidence.place(cleared.at) or evidence.call("zero_grad", "zero_"),
        measured=Number(0.0, "norm of the gradient at the update", "0"),
        bound=Number(own, "after backward()"),
        why="The update uses what is in .grad, and nothing is left. Clear before backward(), or after the update.",
        fix="optimizer.zero_grad()\nloss.backward()\noptimizer.step()"
        if optimizers
        else f"loss.backward()\nwith torch.no_grad():\n    {stretch.names[0]} -= lr * {stretch.names[0]}.grad\n"
        f"{stretch.names[0]}.grad = None",
        tried=tried,
        weight=1.0,
    )


def _cleared_first(events: list[Event]) -> Event | None:
    """What cleared the gradients before a change that found none; None where it found some."""
    cleared = None
    for event in events:
        if event.kind in updates.CLEARS:
            cleared = cleared or event
        elif event.kind == "grad set":
            return None
        elif event.kind in updates.CHANGES:
            nothing = event.grads is None or not any(event.grads)
            return cleared if nothing else None
    return None
