"""A loss that is a mean already is divided by the batch size once more.

## What it finds

A division by the number of rows, of the loss or of its gradient, although the loss is a mean over these rows. The
rule doubles the rows of a batch: a mean stays as it is, a sum doubles.

## Why it matters

The step is as many times too small as there are rows in a batch. The training looks as if the learning rate was far
too low, and ends far from the optimum.

## Example

```python
loss = torch.nn.functional.mse_loss(model(X), y)      # a mean
loss.backward()
w.data -= lr * w.grad / len(X)
```

## Instead

```python
loss = torch.nn.functional.mse_loss(model(X), y)
loss.backward()
w.data -= lr * w.grad
```

## How sure

Certain that the division is there twice. It is reported where the training ended more than 1 % above the optimum, as
a larger learning rate makes up for it, and for plain descent alone: Adam and its like do not mind the scale of a
loss.
"""

from __future__ import annotations

import ast
from typing import Any

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Place, Severity
from sightline.check.recovering.recovered import Recovered
from sightline.check.rules import _failing as failing
from sightline.check.trying import attempt, learning_rate
from sightline.check.watching.places import place

BOUND = 0.01  # relative gap to the optimum from which it is reported


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Divisions by the number of rows, beside what a batch of twice the rows gives."""
    stretch, rows = training.stretch, training.rows
    if rows is None or training.scores is None or any(o.kind != "SGD" for o in stretch.optimizers):
        return None
    program = training.whole_program
    assert program is not None
    size = _rows(training)
    if size is None or size < 2:
        return None
    found = _in_loss(training, evidence, size) or _in_update(training, evidence, size)
    if found is None:
        return None
    where, code, fix = found
    certificate = training.certificate
    gap = None if certificate is None else certificate.relative_gap
    if gap is None or not gap > BOUND:
        return None
    tried = None
    rate = learning_rate(training)
    if evidence.attempt:
        again = None if rate is None else rate * size
        tried = attempt(training, training.minimised, "the same training with one division", lr=again)
    return Finding(
        rule="double-batch-average",
        severity=Severity.WARNING,
        what=f"the loss is a mean over {size:,} rows and is divided by {size:,} once more ({code}): each step is"
        f" {size:,} times too small",
        where=where,
        measured=Number(size**2, "divisor", f"{size:,} x {size:,}"),
        bound=Number(size, "rows in a batch", f"{size:,}"),
        why="Loss functions of PyTorch average over the batch unless reduction='sum' is asked for. Dividing again"
        " shrinks the gradient.",
        fix=fix,
        tried=tried,
        weight=1.0,
    )


def _rows(training: Recovered) -> int | None:
    """Rows of the first pass."""
    program, scores = training.whole_program, training.scores
    assert program is not None and scores is not None
    shape = program.shapes.get(scores.slot)
    return int(shape[0]) if shape is not None and len(shape) else None


def _is_mean(training: Recovered, slot: int, size: int) -> bool:
    """Whether a number stays as it is when every row of the batch comes twice."""
    program = training.whole_program
    assert program is not None
    twice = {
        s: torch.cat([v, v]) for s in program.inputs if (v := program.values[s]).ndim and v.shape[0] == size
    }
    try:
        with torch.no_grad(), torch.random.fork_rng():
            once = program.run(training.start, [slot])[0].double().sum()
            again = program.run({**training.start, **twice}, [slot])[0].double().sum()
    except Exception:
        return False
    return bool(twice) and bool((again - once).abs() <= 1e-4 * once.abs()) and bool(once != 0)


def _adds_to_one(training: Recovered) -> bool:
    """Whether the rows' weights in the loss add up to 1 (2 for squares): a sum divided by a number of rows by hand."""
    found = training.recognised
    return found is not None and found.factor <= 2 + 1e-6


def _in_loss(training: Recovered, evidence: Evidence, size: int) -> tuple[Place | None, str, str] | None:
    """A division of the mean by the number of rows, on the way to the loss."""
    program = training.whole_program
    assert program is not None
    trained = program.after(program.parameters)
    for step in program.instructions:
        if step.name.strip("_") not in ("div", "truediv", "itruediv", "divide", "true_divide"):
            continue
        numerator = step.sources[0] if step.sources else None
        if numerator not in trained or program.shapes[step.outputs[0]].numel() != 1:
            continue
        if _divisor(training, step.args, step.sources) == size and _is_mean(training, numerator, size):


            where = place(step.at)
            return where, "in the loss", _without(evidence, where)
    return None


def _divisor(training: Recovered, args: tuple[Any, ...], sources: tuple[int, ...]) -> float | None:
    program = training.whole_program
    assert program is not None
    numbers = [float(a) for a in args[1:] if isinstance(a, int | float)]
    numbers += [float(program.values[s]) for s in sources[1:] if s in program.inputs and program.values[s].numel() == 1]
    return numbers[0] if len(numbers) == 1 else None


def _in_update(training: Recovered, evidence: Evidence, size: int) -> tuple[Place | None, str, str] | None:
    """A division of the gradient by the number of rows, in the line of the update."""
    program = training.whole_program
    assert program is not None
    if not (_is_mean(training, program.loss, size) or _adds_to_one(training)):
        return None
    events = [e for b in training.stretch.beats for e in b.events if e.kind in ("update", "grad changed")]
    for spot in dict.fromkeys(e.at for e in events if e.at is not None):
        where = evidence.place(spot)
        line = failing.statement(evidence, where)
        for node in ast.walk(line) if line is not None else ():
            divisor = _of_gradient(node, any(b.returned for b in training.stretch.beats))
            if divisor is not None and _number(divisor, training, evidence, line) == size:
                return where, f"/ {ast.unparse(divisor)} in the update", _without(evidence, where)
    return None


def _of_gradient(node: ast.AST, returned: bool) -> ast.expr | None:
    """What a gradient is divided by in this expression: in ``g / n``, and in ``1 / n * g``.

    returned : gradients are what ``torch.autograd.grad`` returned, under any name.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        read, divisor = node.left, node.right
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):
        read, divisor = node.target, node.value
    else:
        return None
    if isinstance(read, ast.Constant) and read.value == 1:
        return divisor
    reads_grad = any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(read))
    return divisor if reads_grad or (returned and not isinstance(read, ast.Constant)) else None


def _number(node: ast.expr, training: Recovered, evidence: Evidence, line: ast.stmt | None) -> float | None:
    """What an expression stood for: a constant, a name, a number of rows, or a function's argument of these."""
    names = {**evidence.recording.globals, **training.stretch.namespace}
    found = _plain(node, names)
    if found is not None or not isinstance(node, ast.Name):
        return found
    for function in ast.walk(evidence.tree):
        if not isinstance(function, ast.FunctionDef) or line is None:
            continue
        inside = function.lineno <= line.lineno <= (function.end_lineno or function.lineno)
        given = [a.arg for a in function.args.args]
        if not inside or node.id not in given:
            continue
        for call in evidence.calls(function.name):
            position = given.index(node.id) - (given[0] == "self")
            asked = next((k.value for k in call.keywords if k.arg == node.id), None)
            if asked is None and position < len(call.args):
                asked = call.args[position]
            found = None if asked is None else _plain(asked, names)
            if found is not None:
                return found
    return None


def _plain(node: ast.expr, names: dict[str, Any]) -> float | None:
    """Numbers, and ``len(x)``, ``x.shape[0]``, ``x.size(0)`` of tensors."""
    if isinstance(node, ast.Constant):
        return float(node.value) if isinstance(node.value, int | float) else None
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
            held = failing.value(node.args[0], names)
            return float(len(held)) if isinstance(held, Tensor) and held.ndim else None
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("size", "numel"):
            held = failing.value(node.func.value, names)
            return float(held.shape[0]) if isinstance(held, Tensor) and held.ndim else None
        return None
    if isinstance(node, ast.Subscript):
        inner = node.value
        held = failing.value(inner.value, names) if isinstance(inner, ast.Attribute) and inner.attr == "shape" else None
        return float(held.shape[0]) if isinstance(held, Tensor) and held.ndim else None
    held = failing.value(node, names)
    return float(held) if isinstance(held, int | float) else None


class _Undivided(ast.NodeTransformer):
    """Takes the division out: of a gradient in an update, else the last one of the line."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """a / b becomes a."""
        return node.left if isinstance(node.op, ast.Div) else self.generic_visit(node)


def _without(evidence: Evidence, where: Place | None) -> str:
    """The line without its division."""
    line = failing.statement(evidence, where)
    if line is None or (isinstance(line, ast.AugAssign) and isinstance(line.op, ast.Div)):
        return "# leave this line out"
    return ast.unparse(_Undivided().visit(line))
