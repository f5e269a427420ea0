"""The model has another number of outputs than there are targets or classes.

## What it finds

Labels that reach past the model's outputs, and outputs of another width than the targets: refused with an error, or
broadcast without one. The rule compares the width of the outputs with that of the targets, or with the largest label.

## Why it matters

A class without an output cannot be scored. Four outputs for one target learn the same answer four times, or are
averaged into something that is none.

## Example

```python
model = torch.nn.Linear(4, 2)                                   # labels are 0, 1 and 2
loss = torch.nn.functional.cross_entropy(model(X), y)
```

## Instead

```python
model = torch.nn.Linear(4, 3)
loss = torch.nn.functional.cross_entropy(model(X), y)
```

## How sure

Certain: shapes and labels are those of the call itself. More outputs than classes that occur do no harm and are not
counted.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt
from sightline.check.watching.operations import Failure
from sightline.losses import Squared

RULE = "output-width-mismatch"
PICKS = ("cross_entropy", "nll_loss", "multi_margin_loss", "gather")


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Columns of the outputs beside those of the targets, where the two are broadcast against each other."""
    scores = training.scores
    if scores is None or scores.meeting is None or scores.target is None or scores.meeting.name in PICKS:
        return None
    program = scores.program
    met = next((s for s in scores.meeting.sources if s not in program.inputs), None)
    if met is None:
        return None
    output, target = tuple(program.shapes[met]), tuple(program.values[scores.target].shape)
    if len(output) != 2 or len(target) != 2 or output[0] != target[0] or output[0] == 1:
        return None
    wide, narrow = max(output[1], target[1]), min(output[1], target[1])
    if narrow != 1 or wide == 1 or (output[1] > 1 and not _alike(training, met)):
        return None
    tried = None
    y, linear = training.y, training.linear
    if evidence.attempt and y is not None and linear is not None and output[1] > 1:
        tried = _one_output(training, y)
    return _finding(
        output, target, evidence.model_line(training) or evidence.loss_line(training), "", tried,
        "The target is copied over all columns: each output learns the same answer."
        if output[1] > 1 else "The one output is compared with each column of the targets, and settles between them.",
    )  # fmt: skip


def _alike(training: Recovered, met: int) -> bool:
    """Whether the loss is the same for all columns of the outputs: those of several quantiles, say, are not."""
    scores = training.scores
    assert scores is not None
    program = scores.program
    weights = {s: w for s, w in training.weights.items() if s in program.parameters}
    with torch.no_grad(), torch.random.fork_rng():
        outputs = program.run(weights, [met])[0]
        ramp = torch.arange(outputs.shape[1], dtype=outputs.dtype) * (1 + outputs.abs().max())
        one = program.run({**weights, met: outputs + ramp}, [scores.data.slot])[0].double().sum()
        two = program.run({**weights, met: (outputs + ramp).flip(1)}, [scores.data.slot])[0].double().sum()
    return bool((one - two).abs() <= 1e-5 * (one.abs() + two.abs()))


def find_in_script(evidence: Evidence) -> Finding | None:
    """Widths in the call that refused them."""
    failure = evidence.failure
    if failure is None:
        return None
    pair = _pair(failure)
    if pair is None:
        return None
    scores, target = pair
    if failure.name in PICKS:
        return _labels(evidence, scores, target)
    if not isinstance(failure.error, RuntimeError | ValueError):
        return None
    output, wanted = tuple(scores.shape), tuple(target.shape)
    width = wanted[1] if len(wanted) == 2 else 1
    if len(output) != 2 or len(wanted) not in (1, 2) or output[0] != wanted[0] or output[1] == width:
        return None
    return _finding(output, wanted, _layer(evidence) or evidence.where_it_failed, evidence.message, None,
                    "There must be one output for each number that is to be predicted.")  # fmt: skip


def _pair(failure: Failure) -> tuple[Tensor, Tensor] | None:
    """(what the model gave, target): the argument with a graph, and the one without."""
    given = [v for v in (*failure.args, *failure.kwargs.values()) if isinstance(v, Tensor)]
    of_model = [t for t in given if t.requires_grad and not t.is_leaf]
    targets = [t for t in given if not t.requires_grad]
    return (of_model[0], targets[0]) if len(of_model) == 1 and targets else None


def _labels(evidence: Evidence, scores: Tensor, target: Tensor) -> Finding | None:
    """Labels outside of the columns of the scores."""
    if scores.ndim < 2 or target.is_floating_point() or not target.numel():
        return None
    outputs = scores.shape[1]
    labels = target[target != -100]
    if not labels.numel():
        return None
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < outputs:
        return None
    name = failing.name_of_value(target, failing.visible(evidence)) or "labels"
    shifted = low > 0 and high - low < outputs and int(torch.unique(labels).numel()) <= outputs
    if low < 0 or shifted:
        why = f"Labels are counted from 0. These go from {low} to {high}."
        fix = f"{name} = {name} - {low}"
        what = f"labels go from {low} to {high}, the model's {outputs} outputs stand for 0 to {outputs - 1}"
    else:
        why = f"Label {high} needs an output with the number {high}: the model must have {high + 1} of them."
        fix = f"nn.Linear(..., {high + 1})"
        what = f"the largest label is {high}, and the model has {outputs} output{'s' if outputs > 1 else ''}"
    where = evidence.where_it_failed if low < 0 or shifted else _layer(evidence) or evidence.where_it_failed
    return Finding(
        rule=RULE, severity=Severity.ERROR, what=what, where=where,
        measured=Number(outputs, "outputs", str(outputs)), bound=Number(high + 1, "needed", str(high + 1)),
        why=why, fix=fix, weight=1.0,
    )  # fmt: skip


def _layer(evidence: Evidence) -> Place | None:
    """The line of the script's last layer."""
    lines = [evidence.line(node) for node in evidence.calls("Linear")]
    return max(lines, key=lambda p: p.line) if lines else None


def _finding(
    output: tuple[int, ...], target: tuple[int, ...], where: Place | None, message: str, tried: object, why: str
) -> Finding:
    width = target[1] if len(target) == 2 else 1
    return Finding(
        rule=RULE,
        severity=Severity.ERROR,
        what=f"the model has {output[1]} outputs for {width} target{'s' if width > 1 else ''} in each row:"
        f" {output} beside {target}",
        where=where,
        measured=Number(output[1], "outputs", str(output[1])),
        bound=Number(width, "targets in a row", str(width)),
        why=why,
        fix=f"nn.Linear(..., {width})",
        tried=tried,  # type: ignore[arg-type]
        weight=1.0,
    )


def _one_output(training: Recovered, y: Tensor) -> object:
    """The problem of one output, as least squares."""
    linear = training.linear
    assert linear is not None
    one = Recovered(training.stretch)
    one.__dict__.update({k: v for k, v in training.__dict__.items() if k != "recognised"})
    one.linear = replace(linear, outputs=1, where=None, bias=None, shape=(linear.shape[0], 1))
    problem = one.problem(Squared(), y.reshape(-1), 2.0)
    return attempt(one, problem, "one output for the one target, mean squared error")
