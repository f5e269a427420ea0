"""The class with the smallest score is predicted, where training makes the true class's the largest.

## What it finds

`argmin`, or `min` with a dimension of which the index is taken, over the scores of the classes. The rule counts how
often the index is the target, and how often that of the largest score is.

## Why it matters

Cross-entropy and its kin raise the score of the true class above the others, so the smallest score is that of the least
likely class: the better the training, the worse the answers.

## Example

```python
loss = nn.functional.cross_entropy(model(X), y)
predicted = model(X).argmin(dim=1)
```

## Instead

```python
predicted = model(X).argmax(dim=1)
```

## How sure

Both agreements are counted on the rows of the script. Where the smallest is right more often, as it is of distances or
costs, nothing is said.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity, Tried
from sightline.check.program import build
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.rows import WHOLE
from sightline.check.trying import attempt
from sightline.check.watching.recording import Call

CLEARLY = 0.1  # by so much the largest must be right more often, and by two standard errors


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Agreement with the targets of the smallest score beside that of the largest."""
    linear = training.linear
    if linear is None or linear.outputs < 2:
        return None
    for call in evidence.recording.calls.values():
        if not _smallest_of_classes(call, linear.outputs):
            continue
        for values, targets in _pairs(call, training, evidence):
            low = float((values.argmin(1) == targets).double().mean())
            high = float((values.argmax(1) == targets).double().mean())
            if high - low > CLEARLY + 1 / len(targets) ** 0.5:
                return _finding(training, evidence, call, low, high)
            break
    return None


def _smallest_of_classes(call: Call, classes: int) -> bool:
    if call.name not in ("argmin", "min") or not call.args or not isinstance(call.args[0], Tensor):
        return False
    values = call.args[0]
    given = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    return values.ndim == 2 and values.shape[1] == classes and given in (1, -1)


def _pairs(call: Call, training: Recovered, evidence: Evidence) -> list[tuple[Tensor, Tensor]]:
    """(values (m, K), classes (m,)) that belong together, the surest first."""
    values = call.args[0].detach()
    found = call.answer if isinstance(call.answer, Tensor) else tuple(call.answer)[1]
    pairs = []
    for other in evidence.recording.calls.values():
        if other.name in ("eq", "__eq__", "ne", "__ne__") and len(other.args) > 1:
            for a, b in (other.args[:2], other.args[1::-1]):
                if a is found and isinstance(b, Tensor) and b.numel() == len(values):
                    pairs.append((values, b.detach().reshape(-1).long()))
    y, rows = training.y, training.rows
    if y is None or rows is None:
        return pairs
    targets = y.argmax(1) if y.ndim == 2 and y.shape[1] == values.shape[1] else y.reshape(-1)
    if len(targets) != rows.n or targets.is_floating_point():
        return pairs
    if rows.how == WHOLE and len(values) == rows.n:
        pairs.append((values, targets.long()))
    again = _on_training_rows(call, training, evidence)
    if again is not None and len(again) == rows.n:
        pairs.append((again, targets.long()))
    return pairs


def _on_training_rows(call: Call, training: Recovered, evidence: Evidence) -> Tensor | None:
    """The values of the call for the rows of the training, where it was made on others after the last pass."""
    assert training.scores is not None and training.rows is not None
    program = build(evidence.recording.last_operations, call.args[0])
    if program is None:
        return None
    features = [training.rows.values[s] for s in training.scores.features]
    shapes = {f.shape[1:]: f for f in features if f.ndim > 1 and f.is_floating_point()}
    places = [s for s in program.inputs if program.values[s].ndim > 1 and program.values[s].shape[1:] in shapes]
    if len(places) != 1:
        return None
    rows = shapes[program.values[places[0]].shape[1:]]
    with torch.no_grad(), torch.random.fork_rng():
        return program.run({places[0]: rows.to(program.values[places[0]].dtype)})[0].detach()


def _finding(training: Recovered, evidence: Evidence, call: Call, low: float, high: float) -> Finding:
    return Finding(
        rule="argmin-for-prediction",
        severity=Severity.ERROR,
        what=f"the smallest score names the right class in {100 * low:.3g} % of rows, the largest in"
        f" {100 * high:.3g} %",
        where=evidence.place(call.at),
        measured=Number(low, "share right, smallest score"),
        bound=Number(high, "largest score"),
        why="The loss raises the score of the true class above the others, so the smallest is that of the least likely"
        " class.",
        fix="predicted = scores.argmax(dim=1)",
        tried=_tried(training, low, high) if evidence.attempt else None,
        weight=1.0,
    )


def _tried(training: Recovered, low: float, high: float) -> Tried | None:
    tried = attempt(training, training.minimised, "the same weights with the largest score", own_recipe=False)
    if tried is None:
        return None
    return replace(tried, before=replace(tried.before, accuracy=low), after=replace(tried.before, accuracy=high))
