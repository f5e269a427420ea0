"""The learning-rate schedule of a recipe."""

from __future__ import annotations

import difflib
from typing import Any

import torch

from sightline.recipes.recipe import PACES, Recipe


def make_scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe) -> Any:
    """The recipe's scheduler on its optimizer, or None.

    Raises
    ------
    ValueError : ``torch.optim.lr_scheduler`` has none of that name, it cannot be made, or it cannot step.
    """
    schedule = recipe.schedule
    if recipe.schedule_per not in PACES:
        raise ValueError(f"schedule_per={recipe.schedule_per!r}; choose one of {', '.join(map(repr, PACES))}.")
    if schedule is None:
        return None
    arguments: dict[str, Any] = {}
    if isinstance(schedule, tuple):
        schedule, arguments = schedule[0], dict(schedule[1])
    maker = _named(schedule) if isinstance(schedule, str) else schedule
    try:
        scheduler = maker(optimizer, **arguments)
    except (TypeError, ValueError) as error:
        name = getattr(maker, "__name__", repr(maker))
        hint = "" if arguments else f"; give its arguments as schedule=({name!r}, {{...}})"
        raise ValueError(f"the schedule {name} cannot be made: {error}{hint}.") from None
    if not callable(getattr(scheduler, "step", None)):
        raise ValueError(f"schedule= gives {type(scheduler).__name__}, which has no step(); give a scheduler of torch.")
    return scheduler


def _named(name: str) -> Any:
    base = torch.optim.lr_scheduler.LRScheduler
    known = {
        key.lower(): value for key, value in vars(torch.optim.lr_scheduler).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not key.startswith("_")
    }  # fmt: skip
    if name.lower() in known:
        return known[name.lower()]
    near = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"did you mean {known[near[0]].__name__!r}?" if near else "give a class of torch.optim.lr_scheduler."
    raise ValueError(f"schedule={name!r} is not a scheduler of torch.optim.lr_scheduler; {hint}")
