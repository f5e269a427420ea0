"""What an optimizer's weight decay does, found by letting it take a step of which the answer is known."""

from __future__ import annotations

from typing import Any

import torch

COUPLED, DECOUPLED, UNKNOWN = "coupled", "decoupled", "unknown"


def effect(optimizer: torch.optim.Optimizer) -> str:
    """How the optimizer's weight decay acts.

    'coupled' : it is added to the gradient, as the derivative of ½ decay · w²: where the gradient is -decay · w nothing
        moves.
    'decoupled' : it shrinks the weights beside the step (AdamW), also where there is no gradient.
    'unknown' : neither, or the optimizer cannot be tried.
    """
    decay = 0.1
    if _moved(optimizer, decay, gradient=-decay) == 0.0:
        return COUPLED
    moved = _moved(optimizer, decay, gradient=0.0)
    return DECOUPLED if moved is not None and moved < 0 else UNKNOWN


def shrinks(optimizer: torch.optim.Optimizer) -> bool:
    """Whether weights shrink without any gradient or weight decay, as those of ASGD do (its ``lambd``)."""
    moved = _moved(optimizer, 0.0, gradient=0.0)
    return moved is not None and moved < 0


def goes_down(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a first step goes against the gradient; False for ``maximize=True``."""
    moved = _moved(optimizer, 0.0, gradient=1.0)
    return moved is None or moved <= 0


def _moved(optimizer: torch.optim.Optimizer, decay: float, gradient: float) -> float | None:
    """How far a fresh optimizer of the same settings moves a weight of one in one step; None where that fails."""
    group = dict(optimizer.param_groups[0])
    template = group.pop("params")[0]
    weight = torch.nn.Parameter(torch.ones(template.shape, dtype=torch.float64))
    settings: dict[str, Any] = {k: v for k, v in group.items() if k != "initial_lr"}
    if "weight_decay" in settings:
        settings["weight_decay"] = decay
    try:
        with torch.random.fork_rng():
            fresh = type(optimizer)([{"params": [weight], **settings}], **_required(optimizer))
            fresh.param_groups[0]["lr"] = 1.0 if float(group.get("lr", 1.0)) <= 0 else group.get("lr", 1.0)
            weight.grad = torch.full_like(weight, gradient)
            fresh.step(lambda: 0.0)
    except Exception:  # an optimizer of somebody's own may want anything; then nothing is claimed of it
        return None
    return float((weight.detach() - 1.0).mean())


def _required(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The settings by name, for a class that will not be made without them."""
    import inspect

    parameters = list(inspect.signature(type(optimizer).__init__).parameters.values())[2:]
    group = optimizer.param_groups[0]
    return {
        p.name: group[p.name] for p in parameters if p.default is inspect.Parameter.empty and p.name in group
    }
