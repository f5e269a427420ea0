"""The classes can be separated, so the loss has no minimum and the weights grow for ever.

## What it finds

A direction of the weights along which no row's loss rises and some fall, found by a linear program and checked in
exact arithmetic. Then every step along it lowers the loss, without end (Albert and Anderson 1984).

## Why it matters

There is no "converged": the loss creeps towards zero as the weights grow like the logarithm of the number of steps,
and the weights, the probabilities and the loss say when the training was stopped rather than anything of the data.

## Example

```python
loss = nn.BCEWithLogitsLoss()(model(X), y)       # all rows right, |w| still growing
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
```

## Instead

```python
optimizer = torch.optim.SGD([
    {"params": [model.weight], "weight_decay": 1e-3},
    {"params": [model.bias], "weight_decay": 0.0},
], lr=0.1)
```

## How sure

Certain: the direction is verified. It is advice where all rows are on their right side, a warning where some are not
although they could be.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import attempt


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The certificate's witness, and the growth of the weights."""
    here = progress(training)
    if here is None or not here.no_minimum:
        return None
    witness = here.problem.solution.certificate.witness
    kind = (witness.separation if witness is not None else None) or "complete"
    rows = witness.rows if witness is not None and witness.rows else here.problem.objective.n
    accuracy, best = here.accuracies
    wrong = accuracy is None or (best is not None and accuracy < best)
    path = training.stretch.path
    growth = ""
    if len(path) > 3:
        middle, end = (sum(float(w.square().sum()) for w in path[i][1]) ** 0.5 for i in (len(path) // 2, -1))
        growth = f"; |w| was {middle:.3g} half way and {end:.3g} at the end" if end > middle else ""
    said = f"{100 * accuracy:.3g} % of rows are right" if accuracy is not None else "the weights are not finite"
    tried = None
    if evidence.attempt:
        tried = attempt(training, here.problem, "the same loss, taken to its end", own_recipe=False)
    return Finding(
        rule="separable-data",
        severity=Severity.WARNING if wrong else Severity.ADVICE,
        what=f"the data are separable ({kind}, {rows} rows): the loss has no minimum{growth}; {said}",
        where=evidence.loss_line(training),
        measured=Number(float(rows), "rows that a direction separates", str(rows)),
        bound=Number(0, "rows where a minimum exists", "0"),
        why="Along the separating direction every step lowers the loss, so the weights grow as long as the training"
        " runs."
        " A penalty on the weights, or the maximum margin, has one answer.",
        fix="weight_decay=1e-3    # on the weights, not the bias; or sl.MaxMarginClassifier()",
        tried=tried,
        weight=0.4,
    )
