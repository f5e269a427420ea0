"""The model is in training mode when it is tested.

## What it finds

Dropout or batch normalisation that runs in training mode after the training, with gradients switched off or behind
the last `backward()`. The rule measures how far the module's output is from the one of evaluation mode on the same
input.

## Why it matters

Dropout then throws away a part of the inputs at random, so that results differ from one test to the next. Batch
normalisation uses the mean and spread of the rows that happen to be together, and a single row has none.

## Example

```python
model.train()
...
with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean()
```

## Instead

```python
model.eval()
with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean()
```

## How sure

Certain: the module's mode is that of its last call. Models without such modules need no eval(), and differences below
10 % of the output are not counted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt
from sightline.check.watching.recording import Run

BOUND = 0.1  # of the output's size


def find_in_script(evidence: Evidence) -> Finding | None:
    """The last call of each module that has a mode."""
    recording = evidence.recording
    trained = [s for s in recording.stretches if s.backwards > 1]
    if not trained:
        return None
    failed = _failed_for_rows(evidence)
    worst: tuple[float, Run] | None = None
    for run in recording.runs.values():
        tested = run.training and run.backwards and (not run.graded or run.backwards >= recording.backwards)
        if not tested or run.given is None or (recording.ending != "finished" and not failed):
            continue
        apart = float("inf") if failed else _difference(run)
        if apart > BOUND and (worst is None or apart > worst[0]):
            worst = (apart, run)
    if worst is None:
        return None
    apart, run = worst
    module: Any = run.module
    kind = type(module).__name__
    dropping = isinstance(module, nn.modules.dropout._DropoutNd)
    if failed:
        what = f"{kind} is in training mode when it is given {_rows(run)}, whose spread it cannot take"
    elif dropping:
        what = f"{kind} drops {100 * module.p:.0f} % of its input in the test: it is in training mode"
    else:
        what = f"{kind} is in training mode in the test, and its output is {100 * apart:.0f} % away for it"
    tried = None
    if evidence.attempt and recording.ending == "finished" and evidence.trainings:
        training = evidence.trainings[0]
        tried = attempt(training, training.minimised, "the training itself, for a test in eval()", own_recipe=False)
    return Finding(
        rule="eval-mode-forgotten",
        severity=Severity.ERROR if failed else Severity.WARNING,
        what=what,
        where=evidence.where_it_failed if failed else evidence.place(run.at),
        measured=Number(None if failed else apart, "output in training mode beside that of evaluation",
                        "an error" if failed else f"{100 * apart:.0f} % away"),
        bound=Number(BOUND, "at most", f"{100 * BOUND:.0f} %"),
        why="eval() switches dropout off, and batch normalisation to the averages of the training."
        " Without it a test depends on chance and on which rows come together.",
        fix=f"{_name(evidence, module)}.eval()",
        tried=tried,
        weight=0.8,
    )  # fmt: skip


def _failed_for_rows(evidence: Evidence) -> bool:
    """Whether the script stopped in a batch norm of too few rows while gradients were off, or after the training."""
    failure = evidence.failure
    if failure is None or failure.name != "batch_norm" or not failure.args or not isinstance(failure.error, ValueError):
        return False
    given = failure.args[0]
    run = next((r for r in evidence.recording.runs.values() if r.given is given), None)
    return run is not None and not run.graded and given.numel() == given.shape[1]


def _difference(run: Run) -> float:
    """Root mean square of the change between the modes, over that of the output in evaluation mode."""
    module: Any = run.module
    given = run.given
    assert given is not None
    if isinstance(module, nn.modules.dropout._DropoutNd):
        p = float(module.p)
        return (p / (1 - p)) ** 0.5 if p < 1 else float("inf")
    if module.running_mean is None or given.ndim < 2:
        return 0.0
    with torch.no_grad():
        rows = given.detach().double().transpose(0, 1).reshape(given.shape[1], -1)
        if rows.shape[1] < 2:
            return float("inf")
        mean, spread = rows.mean(1, keepdim=True), rows.std(1, unbiased=False, keepdim=True)
        average, variance = module.running_mean.double()[:, None], module.running_var.double()[:, None]
        then = (rows - average) / (variance + module.eps).sqrt()
        now = (rows - mean) / (spread.square() + module.eps).sqrt()
        size = float(then.square().mean().sqrt()) or 1.0
        return float((now - then).square().mean().sqrt()) / size


def _rows(run: Run) -> str:
    given = run.given
    count = 0 if given is None else int(given.shape[0])
    return "a single row" if count == 1 else f"{count} rows"


def _name(evidence: Evidence, part: nn.Module) -> str:
    """What the code calls the model that holds a module."""
    spaces = [s.namespace for s in evidence.recording.stretches] + [failing.visible(evidence)]
    for names in spaces:
        for name, value in names.items():
            if isinstance(value, nn.Module) and name != "self" and any(m is part for m in value.modules()):
                return name
    return "model"
