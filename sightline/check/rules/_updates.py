"""What rules about gradients and updates share: pairs of backward passes, what moved between them, what was cleared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.watching.stretch import Beat, Event, SeenOptimizer, Stretch

CLEARS = ("zero_grad", "grad none", "grad zeroed")
CHANGES = ("step", "update")


def pairs(stretch: Stretch) -> Iterator[tuple[Beat, Beat]]:
    """Backward passes that were looked at closely, one right after the other."""
    for one, two in zip(stretch.beats, stretch.beats[1:]):
        if two.number == one.number + 1:
            yield one, two


def norm(values: Sequence[Tensor | None]) -> float:
    """Euclidean norm of all numbers; None counts as zero."""
    total = sum(float(v.detach().double().square().sum()) for v in values if v is not None)
    return float(total**0.5)


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same, bit for bit; nan equals nan."""
    return a.shape == b.shape and bool(torch.equal(a.detach().nan_to_num(7.0), b.detach().nan_to_num(7.0)))


def still(stretch: Stretch) -> list[bool]:
    """Of each parameter: whether it is at the end, and was at each close look, what it was at first."""
    found = []
    for i, parameter in enumerate(stretch.parameters):
        looks = [b.weights[i] for b in stretch.beats if i < len(b.weights)]
        found.append(all(same(stretch.start[i], w) for w in (*looks, parameter)))
    return found


def pulled(stretch: Stretch) -> list[bool]:
    """Of each parameter: whether any backward pass gave it a gradient that is not zero."""
    found = [False] * len(stretch.parameters)
    for beat in stretch.beats:
        for i, gradient in enumerate(beat.own_gradient()):
            if i < len(found) and bool(gradient.any()):
                found[i] = True
    return found


def holders(stretch: Stretch, evidence: Evidence) -> list[SeenOptimizer]:
    """The optimizers of the script that hold one of the training's parameters."""
    own = {id(p) for p in stretch.parameters}
    return [o for o in evidence.recording.optimizers if any(id(p) in own for p in o.parameters)]


def changes(stretch: Stretch, event: Event) -> bool:
    """Whether an event is an update of this training's weights, or a step of an optimizer that holds some of them."""
    if event.kind == "step" and isinstance(event.what, SeenOptimizer):
        own = {id(p) for p in stretch.parameters}
        return any(id(p) in own for p in event.what.parameters)
    return event.kind in CHANGES


def replaced(stretch: Stretch, evidence: Evidence) -> bool:
    """Whether an optimizer of this training holds tensors that no loss has ever reached."""
    used = {id(p) for s in evidence.recording.stretches for p in s.parameters}
    return any(
        p.requires_grad and p.grad is None and id(p) not in used
        for seen in holders(stretch, evidence) for p in seen.parameters
    )  # fmt: skip


def strangers(stretch: Stretch) -> list[SeenOptimizer]:
    """Optimizers that stepped after this training's backward passes and hold none of its parameters."""
    own = {id(p) for p in stretch.parameters}
    return [o for o in stretch.optimizers if not any(id(p) in own for p in o.parameters)]


def all_events(stretch: Stretch) -> Iterator[list[Event]]:
    """The events between backward passes that were looked at closely, and those after the last one."""
    for _, two in pairs(stretch):
        yield two.events
    yield stretch.tail


def listed(names: Sequence[str], most: int = 4) -> str:
    """"w, b and 3 more"."""
    shown = list(names[:most])
    rest = len(names) - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
