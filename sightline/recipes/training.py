"""``train``: run a recipe on a module and its data -> Training."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sightline.losses import Loss
from sightline.recipes.batches import make_batches
from sightline.recipes.ending import finish
from sightline.recipes.loop import Job, Moment, run
from sightline.recipes.named_losses import as_loss_function
from sightline.recipes.optimizers import make_optimizer, needs_closure
from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Training
from sightline.recipes.schedules import make_scheduler
from sightline.recipes.starts import begin
from sightline.recipes.trace import Record, TrainingTrace, recording

ENGINES = ("exact", "compiled")


def train(
    module: nn.Module,
    data: Any,
    loss: str | Loss | Callable[[Any, Any], Any],
    recipe: Recipe | None = None,
    *,
    engine: str = "exact",
    record: Record = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float | str | None = None,
    callback: Callable[[Moment], bool | None] | None = None,
    progress: bool | None = None,
    time_limit: float | None = None,
    certify: bool = True,
    tol: float = 1e-6,
    warn: bool = True,
) -> Training:
    """Train a module in place as a recipe says, record it, and certify its end.

    The weights after every step equal, bit for bit, those of the loop by hand: ``zero_grad``, forward, loss,
    ``backward``, ``step``.

    Parameters
    ----------
    module : any ``nn.Module``; linear ones are certified.
    data : (X, y) tensors or arrays, a ``Dataset``, or a ``DataLoader``.
    loss : a torch loss (module or function), a callable of (outputs, y), or the name of a Sightline loss.
    recipe : see ``Recipe``.
    engine : 'exact', or 'compiled' for linear modules with named optimizers and losses.
    record : which steps the trace holds, see ``recording``.
    """
    recipe = Recipe() if recipe is None else recipe
    parameters = [p for p in module.parameters() if p.requires_grad]
    batches = make_batches(data, recipe, parameters[0])
    function = as_loss_function(loss)
    begin(module, recipe)
    optimizer = make_optimizer(module, recipe)
    closure = needs_closure(type(optimizer)) if recipe.closure is None else recipe.closure
    total = None if batches.per_epoch is None else batches.per_epoch * recipe.epochs
    recorded, rule = recording(record, total, batches.per_epoch)
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}; choose one of {', '.join(map(repr, ENGINES))}.")
    job = Job(
        module, batches, function, recipe, optimizer, make_scheduler(optimizer, recipe), closure, recorded,
        TrainingTrace(rule), callback, None, time_limit,
    )
    if engine == "compiled":
        from sightline.recipes import compiled

        compiled.run(job)
    else:
        run(job)
    return finish(job, loss, certify=certify, tol=tol, warn=warn)


__all__ = ["train", "torch"]
