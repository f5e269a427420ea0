"""Many recipes at once: a grid of learning rates, seeds, batch sizes on one module, its data and its loss."""

from __future__ import annotations

import copy
import itertools
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

from sightline.losses import Loss
from sightline.progress import Progress
from sightline.recipes.batches import TensorBatches
from sightline.recipes.compiled.engine import make_ready
from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.compiled.losses import Slopes
from sightline.recipes.compiled.running import Running, interrupts
from sightline.recipes.ending import finish
from sightline.recipes.loop import Job
from sightline.recipes.loop import run as run_exact
from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Training
from sightline.recipes.trace import Record
from sightline.recipes.training import ENGINES, prepare


def grid(recipe: Recipe, **settings: Iterable[Any]) -> list[Recipe]:
    """All combinations of settings: ``grid(Recipe(epochs=50), lr=[0.1, 0.01], batch_size=[1, 10])`` are four recipes.

    The last setting named changes fastest.
    """
    return [recipe.but(**dict(zip(settings, values))) for values in itertools.product(*settings.values())]


def train_grid(
    module: nn.Module,
    data: Any,
    loss: str | Loss | Callable[[Any, Any], Any],
    recipes: Sequence[Recipe],
    *,
    engine: str = "compiled",
    threads: int | None = None,
    record: Record = "auto",
    progress: bool | None = None,
    time_limit: float | None = None,
    certify: bool = True,
    tol: float = 1e-6,
    warn: bool = True,
) -> list[Training]:
    """Train a copy of the module by each recipe; the results in the recipes' order.

    Each is what ``train`` gives alone, from the module's weights (or where the recipe starts); the module itself stays
    as it is.  Trainings that use random numbers of their own, or none, run side by side; those that draw from the
    global ones (shuffled without a seed) or from a ``DataLoader`` take their turns, in the recipes' order.

    Parameters
    ----------
    module, data, loss, record, certify, tol, warn : as ``train`` takes them.
    recipes : see ``grid``.
    engine : 'compiled', with the exact engine for those recipes that the compiled one cannot follow
        (``Training.engine`` says why), or 'exact'.
    threads : compiled trainings that run at the same time; by default as many as there are processors.
    time_limit : seconds for all together; trainings that have not begun then stay at their start.

    Ctrl-C ends all of them, each with the weights it has.

    Raises
    ------
    ValueError, DataError : no recipes, or what ``train`` says, with the recipe's place in the list, before any is
        trained.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}; choose one of {', '.join(map(repr, ENGINES))}.")
    recipes = list(recipes)
    if not recipes or not all(isinstance(recipe, Recipe) for recipe in recipes):
        raise ValueError("recipes must be a list of at least one Recipe; grid(recipe, lr=[...]) makes one.")
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}; it must be at least 1.")
    _check(module, data, loss, recipes)
    with Progress(quiet=progress is False) as line:
        line.stage(f"training by {len(recipes):,} recipes")
        jobs = _run_all(module, data, loss, recipes, engine, threads or os.cpu_count() or 1, record, time_limit)
        results: list[Training] = []
        for number, job in enumerate(jobs, 1):
            line.stage(f"examining {number:,} of {len(jobs):,}")
            results.append(finish(job, certify=certify, tol=tol, warn=warn, beside=results))
    return results


def _check(module: nn.Module, data: Any, loss: Any, recipes: list[Recipe]) -> None:
    """Prepare every recipe once, on two rows, so that a mistake is said before anything is trained."""
    few = data
    if isinstance(data, tuple | list) and len(data) == 2:
        few = tuple(part[:2] if hasattr(part, "__getitem__") else part for part in data)
    for number, recipe in enumerate(recipes):
        with torch.random.fork_rng(devices=[]):
            try:
                prepare(copy.deepcopy(module), few, loss, recipe, "ends")
            except ValueError as error:  # DataError is one
                raise type(error)(f"recipe {number}: {error}") from error


def _run_all(
    module: nn.Module, data: Any, loss: Any, recipes: list[Recipe], engine: str, threads: int, record: Record,
    time_limit: float | None,
) -> list[Job]:
    """Run everything; Ctrl-C is looked at between the calls of the compiled loop."""
    begun = time.perf_counter()
    limit = None if time_limit is None else begun + time_limit
    jobs = []
    with interrupts() as interrupted, ThreadPoolExecutor(threads) as pool:
        waiting = []
        try:
            slopes: Slopes | None = None  # the loss is recognised once
            for recipe in recipes:
                job = prepare(copy.deepcopy(module), data, loss, recipe, record)
                jobs.append(job)
                running = _compiled(job, slopes) if engine == "compiled" else None
                slopes = slopes if running is None else running.plan.slopes
                if running is not None and _own_order(job):
                    waiting.append(pool.submit(_go, running, limit, interrupted))
                else:
                    _go(running or job, limit, interrupted)
            for future in waiting:
                future.result()
        except BaseException:
            interrupted.set()
            raise
    return jobs


def _compiled(job: Job, slopes: Slopes | None) -> Running | None:
    try:
        return make_ready(job, slopes)
    except NotCompiled as reason:
        job.engine = f"exact, because {reason}"
        return None


def _own_order(job: Job) -> bool:
    """Whether the order of the rows depends on nothing that another training uses."""
    return isinstance(job.batches, TensorBatches) and (job.batches.generator is not None or not job.recipe.shuffle)


def _go(what: Running | Job, limit: float | None, interrupted: threading.Event) -> None:
    """Run one training within what is left of the time."""
    job = what.job if isinstance(what, Running) else what
    job.begun = time.perf_counter()
    if limit is not None:
        job.time_limit = max(limit - job.begun, 0.0)
    if interrupted.is_set() or job.time_limit == 0:
        job.stopped = "interrupted" if interrupted.is_set() else "no time was left for it"
        job.trace.record(0, 0.0, math.nan, job.rate, 0.0, job.snapshot())
    elif isinstance(what, Running):
        what.go(interrupted)
    else:
        job.callback = lambda moment: interrupted.is_set()
        run_exact(job)
        if interrupted.is_set():
            job.stopped = "interrupted"
    job.seconds = time.perf_counter() - job.begun
