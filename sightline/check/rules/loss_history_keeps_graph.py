"""The history of the loss keeps every graph alive.

## What it finds

Losses that are kept, or added up, as tensors with their graph. The rule counts the losses of past steps that are
still held, and the sums that reach back over more than one backward pass.

## Why it matters

Each kept loss holds its whole computation, and the tensors in it. Memory grows with every step until there is none;
the training itself is not changed.

## Example

```python
losses.append(loss)
total = total + loss
```

## Instead

```python
losses.append(loss.item())
total = total + loss.item()
```

## How sure

Certain: the tensors are counted. A sum of losses of which the gradient is then taken is not counted, nor are detached
ones.
"""

from __future__ import annotations

import ast
from typing import Any

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.rules import _failing as failing
from sightline.check.rules.labels_carry_graph import carried
from sightline.check.trying import attempt

FEW = 20  # losses held at one time that nobody will miss the memory of
LONGEST = 100_000  # calls that a sum's graph is followed through
JOINS = ("AddBackward0", "DivBackward0", "MulBackward0", "SubBackward0", "StackBackward0", "CatBackward0")


def find_in_script(evidence: Evidence) -> Finding | None:
    """Losses of past steps that are still held, or summed."""
    recording = evidence.recording
    held = sum(ref() is not None for ref in recording.losses)
    held = max(held, recording.most_alive)
    summed, adding = _longest_sum(evidence)
    failed = carried(evidence)
    again = failed is not None and any(ref() is failed for ref in recording.losses)
    trained = any(s.backwards > 1 for s in recording.stretches)
    if not trained or (max(held, summed) <= FEW and not again):
        return None
    kept = max(held, summed)
    where, fix = _line(evidence, adding or evidence.where_it_failed if summed > held or again else None)
    tried = None
    if evidence.attempt and evidence.trainings and not again:
        training = evidence.trainings[0]
        tried = attempt(training, training.minimised, "the same training with plain numbers in the history")
    if again:
        what = "the sum of losses keeps the graphs of earlier steps, and backward() runs into one that is gone"
    elif summed > held:
        what = f"a running sum keeps the graphs of {summed:,} steps alive"
    else:
        what = f"{held:,} losses of past steps are held together with their graphs"
    return Finding(
        rule="loss-history-keeps-graph",
        severity=Severity.ERROR if again else Severity.WARNING,
        what=what,
        where=where,
        measured=Number(kept, "graphs of past steps alive", f"{kept:,}"),
        bound=Number(1, "needed", "1"),
        why="A loss is a tensor that holds its whole computation. For a history the number is enough; memory grows with"
        " every step otherwise.",
        fix=fix,
        tried=tried,
        weight=0.5,
    )


def _longest_sum(evidence: Evidence) -> tuple[int, Place | None]:
    """The most graphs of losses that a sum reaches back to, and its line."""
    found = [(_reach(node), evidence.place(at)) for at, node in evidence.recording.carried_graphs.items()]
    return max(found, key=lambda pair: pair[0], default=(0, None))


def _reach(node: Any) -> int:
    """Other graphs that a chain of sums takes in, one for each addition."""
    count = 0
    for _ in range(LONGEST):
        if node is None or type(node).__name__ not in JOINS:
            break
        following = [n for n, _ in node.next_functions if n is not None]
        sums = [n for n in following if type(n).__name__ in JOINS]
        count += len(following) > 1 and type(node).__name__ == "AddBackward0"
        node = sums[0] if sums else None
    return count


def _line(evidence: Evidence, adding: Place | None) -> tuple[Place | None, str]:
    """The line that keeps the loss, and that line with the number in its place."""
    if adding is not None:
        line = failing.statement(evidence, adding)
        if isinstance(line, ast.AugAssign):
            return adding, f"{ast.unparse(line.target)} += {ast.unparse(line.value)}.item()"
        return adding, "total = total + loss.item()"
    for node in evidence.calls("append"):
        if len(node.args) == 1 and isinstance(node.args[0], ast.Name) and isinstance(node.func, ast.Attribute):
            return evidence.line(node), f"{ast.unparse(node.func)}({ast.unparse(node.args[0])}.item())"
    return evidence.place(evidence.recording.carried_at), "losses.append(loss.item())"
