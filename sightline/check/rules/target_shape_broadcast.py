"""Output and target have different shapes and are broadcast against each other.

## What it finds

The difference of outputs (N, 1) and targets (N,) has N x N numbers: every output is compared with every target. The rule
compares the number of residuals with the number of targets, where the two first meet.

## Why it matters

The loss then pulls every prediction to the mean of the targets, whatever the rows say. PyTorch warns of it in
`mse_loss` alone, and not at all in losses written by hand.

## Example

```python
out = model(X)                      # (N, 1)
loss = ((out - y) ** 2).mean()      # y is (N,): N x N residuals
```

## Instead

```python
loss = ((out.squeeze(1) - y) ** 2).mean()
```

## How sure

Certain: the shapes are those of the call itself. Broadcasts that are meant, of a single number or of row weights, are not
counted.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt
from sightline.losses import Squared


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Residuals beside targets, where prediction and target first meet."""
    scores = training.scores
    if scores is None or scores.meeting is None or scores.target is None:
        return None
    program = scores.program
    meeting = scores.meeting
    target = tuple(program.values[scores.target].shape)
    met = next((s for s in meeting.sources if s not in program.inputs), None)
    if met is None:
        return None
    output = tuple(program.shapes[met])
    if not _combine(output, target):
        return None  # scores of K classes beside their numbers, which are looked up, not subtracted
    answer = tuple(_broadcast(output, target))
    pairs = _numbers(answer)
    most = max(_numbers(output), _numbers(target))
    if pairs <= most or _numbers(target) <= 1 or _numbers(output) <= 1:
        return None
    tried = None
    y = training.y
    if evidence.attempt and training.linear is not None and y is not None and training.linear.outputs == 1:
        problem = training.problem(Squared(), y.reshape(-1), 2.0, training.penalties)
        tried = attempt(training, problem, "targets in the shape of the outputs, mean squared error")
    return Finding(
        rule="target-shape-broadcast",
        severity=Severity.ERROR,
        what=f"outputs {output} and targets {target} are broadcast to {answer}: each output meets every target",
        where=evidence.loss_line(training),
        measured=Number(pairs, "residuals", f"{pairs:,}"),
        bound=Number(most, "targets", f"{most:,}"),
        why="The loss compares every prediction with all targets, so each is pulled to the targets' mean. The rows' own"
        " targets hardly count.",
        fix="target = target.view_as(output)",
        tried=tried,
        weight=1.0,
    )


def _combine(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether an operation on each pair of numbers takes these shapes."""
    return all(i == j or 1 in (i, j) for i, j in zip(a[::-1], b[::-1]))


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> list[int]:
    size = max(len(a), len(b))
    one, two = (1,) * (size - len(a)) + a, (1,) * (size - len(b)) + b
    return [max(i, j) for i, j in zip(one, two)]


def _numbers(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
