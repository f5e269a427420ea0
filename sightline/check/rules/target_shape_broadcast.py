"""Output and target have different shapes and are broadcast against each other.

## What it finds

The difference of outputs (N, 1) and targets (N,) has N x N numbers: every output is compared with every target. The
rule looks at each elementwise call between the outputs and the loss, and compares the number of its answers with the
number of rows.

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

Certain: the shapes are those of the call itself. Losses that take scores (N, K) and class numbers (N,), weights (K,),
single numbers and pairs written out as (N, 1) and (1, N) are not counted.
"""

from __future__ import annotations

import contextlib
import math

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity, Tried
from sightline.check.program import Instruction, Program
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules._probing import recognised
from sightline.check.trying import attempt

ELEMENTWISE = frozenset((
    "add", "radd", "iadd", "sub", "rsub", "isub", "subtract", "mul", "rmul", "imul", "multiply", "div", "rdiv",
    "truediv", "rtruediv", "divide", "pow", "maximum", "minimum", "max", "min", "where", "xlogy", "logaddexp",
    "hypot", "atan2", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss",
    "gaussian_nll_loss", "soft_margin_loss", "hinge_embedding_loss", "kl_div", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "margin_ranking_loss",
))  # fmt: skip


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The first elementwise call in which N outputs and N other numbers of the rows make N x N."""
    program = training.whole_program
    if program is None:
        return None
    found = _crossed(program)
    if found is None:
        return None
    step, output, other = found
    rows = math.prod(output)
    return Finding(
        rule="target-shape-broadcast",
        severity=Severity.ERROR,
        what=f"outputs {_shown(output)} and targets {_shown(other)} are broadcast to {_shown((rows, rows))}: each"
        " output meets"
        " every target",
        where=evidence.place(step.at) or evidence.loss_line(training),
        measured=Number(rows * rows, "residuals", f"{rows * rows:,}"),
        bound=Number(rows, "targets", f"{rows:,}"),
        why="The loss compares every prediction with all targets, so each is pulled to the targets' mean. The rows' own"
        " targets hardly count.",
        fix="target = target.view_as(output)",
        tried=_tried(training, evidence),
        weight=1.0,
    )


def _crossed(program: Program) -> tuple[Instruction, tuple[int, ...], tuple[int, ...]] | None:
    """(call, shape of the trained argument, shape of the other) of the first such call."""
    trained = program.after(program.parameters)
    for step in program.instructions:
        if step.name.strip("_") not in ELEMENTWISE:
            continue
        mine = [tuple(program.shapes[s]) for s in step.sources if s in trained and s not in program.parameters]
        others = [tuple(program.values[s].shape) for s in step.sources if s in program.inputs]
        for output in mine:
            for other in others:
                n = math.prod(output)
                column, row = sorted((output, other), key=len, reverse=True)
                if n > 1 and math.prod(other) == n and column == (n, 1) and row == (n,):
                    return step, output, other
    return None


def _shown(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"


def _tried(training: Recovered, evidence: Evidence) -> Tried | None:
    """The same loss with targets in the shape of the outputs."""
    y, linear = training.y, training.linear
    if not evidence.attempt or y is None or linear is None or linear.outputs != 1 or y.numel() != len(linear.X):
        return None
    with contextlib.suppress(Exception):
        rest = training.loss_of_scores(target=y.reshape(linear.shape))
        known = None if rest is None else recognised(rest[0], rest[1], rest[2])
        if known is None:
            return None
        real = y.double().reshape(-1)
        target = real if known.loss.targets != "binary" or bool((real < 0).any()) else 2 * real - 1
        problem = training.problem(known.loss, target, known.factor, training.penalties)
        return attempt(training, problem, "targets in the shape of the outputs")
    return None
