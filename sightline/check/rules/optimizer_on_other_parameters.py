"""The optimizer holds other tensors than the ones that the loss depends on.

## What it finds

An optimizer that was made before the model, or a part of it, was made anew: it steps tensors that take no part in the
loss any more. The rule compares the optimizer's tensors with the loss's by identity, and the weights bit for bit.

## Why it matters

`step()` skips tensors without a gradient, so it runs through and does nothing. The model stays as it was initialised.

## Example

```python
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model.fc = torch.nn.Linear(5, 2)           # the optimizer keeps the old layer
```

## Instead

```python
model = Net()
model.fc = torch.nn.Linear(5, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
```

## How sure

Certain: none of the weights changed though they have a gradient, and what the optimizer holds has none. Parameters
that are left out of the optimizer on purpose, with all that it holds in use, are not counted.
"""

from __future__ import annotations

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Severity
from sightline.check.progress import progress
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.scores import AFFINE
from sightline.check.rules import _updates as updates
from sightline.check.trying import attempt
from sightline.check.watching.stretch import SeenOptimizer, Stretch


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """The tensors of the optimizers that step, beside those of the loss."""
    stretch = training.stretch
    still, pulled = updates.still(stretch), updates.pulled(stretch)
    idle = [i for i in range(len(still)) if still[i] and pulled[i]]
    if not idle or stretch.recreated:
        return None
    if all(still):
        if stretch.counts.get("update") or updates.holders(stretch, evidence):
            return None
        seen = next((o for o in updates.strangers(stretch) if o.steps), None)
        if seen is None or stretch.backwards < 2:
            return None
    else:
        seen = _with_old_parts(stretch, evidence, idle) or _with_a_part(training, evidence, idle)
        if seen is None:
            return None
    used = {id(p) for p in stretch.parameters}
    given = seen.parameters
    shared = sum(id(p) in used for p in given)
    names = [stretch.names[i] for i in idle]
    tried = None
    if evidence.attempt:
        tried = attempt(training, training.minimised, "the same optimizer on the parameters that the loss depends on")
    return Finding(
        rule="optimizer-on-other-parameters",
        severity=Severity.ERROR,
        what=f"{shared} of the {len(given)} tensors that {seen.kind} steps take part in the loss;"
        f" {updates.listed(names)} {'is' if len(names) == 1 else 'are'} not among them and never changed",
        where=evidence.place(seen.at),
        measured=Number(shared, "of the optimizer's tensors in the loss", f"{shared} of {len(given)}"),
        bound=Number(len(stretch.parameters), "tensors that the loss depends on", str(len(stretch.parameters))),
        why="The optimizer was made of tensors that were replaced afterwards: a model, or a layer of it, was made anew."
        " What it holds gets no gradient, and step() skips it." if shared < len(given) else
        "The optimizer was given a part of what the loss depends on. The rest gets gradients and stays as it began.",
        fix="# after the last change of the model\n"
        f"optimizer = torch.optim.{seen.kind}({_owner(stretch)}.parameters(), ...)",
        tried=tried,
        weight=1.0,
    )


def _with_old_parts(stretch: Stretch, evidence: Evidence, idle: list[int]) -> SeenOptimizer | None:
    """An optimizer that holds some of the parameters, and tensors without any gradient in place of the idle ones."""
    registered = set() if stretch.module is None else {id(p) for p in stretch.module.parameters()}
    held = {id(p) for o in evidence.recording.optimizers for p in o.parameters}
    lacking = [i for i in idle if id(stretch.parameters[i]) in registered and id(stretch.parameters[i]) not in held]
    if not lacking:
        return None
    for seen in updates.holders(stretch, evidence):
        if any(p.grad is None and p.requires_grad and id(p) not in registered for p in seen.parameters):
            return seen
    return None


def _with_a_part(training: Recovered, evidence: Evidence, idle: list[int]) -> SeenOptimizer | None:
    """The optimizer of a linear model that holds some of its parameters, where the end is far from the optimum of all.

    Layers before the last that are left out on purpose, as in fine-tuning, are another model's.
    """
    stretch, scores, here = training.stretch, training.scores, progress(training)
    if scores is None or scores.kind != AFFINE or here is None or not here.far:
        return None
    registered = None if stretch.module is None else {id(p) for p in stretch.module.parameters()}
    if registered is not None and any(id(stretch.parameters[i]) not in registered for i in idle):
        return None  # the module does not know of them: that is the fault
    held = {id(p) for o in evidence.recording.optimizers for p in o.parameters}
    if any(id(stretch.parameters[i]) in held for i in idle) or stretch.counts.get("update"):
        return None
    return next(iter(updates.holders(stretch, evidence)), None)


def _owner(stretch: Stretch) -> str:
    """What the code calls the model."""
    for name, value in stretch.namespace.items():
        if stretch.module is not None and value is stretch.module:
            return name
    return "model"
