"""``train``: run a recipe on a module and its data -> Training."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sightline.data import column_names
from sightline.losses import Loss
from sightline.progress import Progress
from sightline.recipes.batches import TensorBatches, make_batches
from sightline.recipes.checkpoint import Checkpoints
from sightline.recipes.checks import check_module, check_rows, suited
from sightline.recipes.compiled import run as run_compiled
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
    checkpoint_every: int | None = None,
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
    module : any ``nn.Module``; linear ones are certified.  It is trained in the mode it is in.
    data : a pair (X, y) of tensors, arrays or frames, a ``Dataset``, or a ``DataLoader``.  Tensors stay as they are;
        arrays become tensors of the module's dtype, labels as the loss takes them.  A pair in order is cut into slices.
    loss : a torch loss (module or function), a callable of (outputs, y), or the name of a Sightline loss.
    recipe : see ``Recipe``; ``Recipe()`` by default.
    engine : 'exact', or 'compiled' for linear modules with torch's named optimizers and losses: the same up to
        rounding, much faster on small steps.
    record : which steps the trace holds: 'auto' (all up to 2,000, then ever fewer), 'all', 'epochs', 'ends', a number k
        for every k-th, or a function of the step's number.  The start and the end are held besides.
    checkpoint : file from which the training goes on if it is there, bit for bit, and to which it is written every
        ``checkpoint_every`` steps (None: every ten seconds) and at the end.
    callback : called with a ``Moment`` after every step; returning True ends the training.
    progress : False shows nothing; otherwise a line on standard error where there is a terminal and it takes longer
        than a second.
    time_limit : seconds after which the training ends.
    certify : whether the end may be certified; it is when the result is asked for it.  tol : relative gap up to which
        the end counts as optimal.
    warn : raise a ``ConvergenceWarning`` when the training diverges or the ``DataLoader`` ends early.

    Returns
    -------
    Training; for a recipe with ``subject_to`` a ``ConstrainedTraining``.
    Ctrl-C ends the training with the weights after the last whole step and the verdict INTERRUPTED.

    Raises
    ------
    ValueError : module, loss, recipe or an option cannot be used or do not fit each other; shapes that would broadcast.
    DataError : the data cannot be used.  ModelFileError : the checkpoint cannot be read or written.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}; choose one of {', '.join(map(repr, ENGINES))}.")
    recipe = Recipe() if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe is a {type(recipe).__name__}; give sl.Recipe('sgd', lr=0.1), for example.")
    if recipe.subject_to is not None:
        from sightline.recipes.constrained import train_constrained

        return train_constrained(  # type: ignore[return-value]  # said in the docstring
            module, data, loss, recipe, callback, engine=engine, record=record, checkpoint=checkpoint,
            checkpoint_every=checkpoint_every, progress=progress, time_limit=time_limit, warn=warn,
        )  # fmt: skip
    job = prepare(module, data, loss, recipe, record)
    job.callback, job.time_limit = callback, time_limit
    if checkpoint is not None:
        if engine != "exact":
            raise ValueError("checkpoint= is kept by engine='exact' only; leave one of the two out.")
        keeper = Checkpoints(checkpoint, checkpoint_every)
        keeper.resume(job)
        job.keeper = keeper
    with Progress(quiet=progress is False) as line:
        job.progress = _teller(line, job)
        if engine == "compiled":
            run_compiled(job)
        else:
            run(job)
        job.seconds = time.perf_counter() - job.begun
        line.stage("examining the end")
        return finish(job, certify=certify, tol=tol, warn=warn)


def prepare(module: nn.Module, data: Any, loss: Any, recipe: Recipe, record: Record) -> Job:
    """Check everything, and make what the recipe names: a training that is ready to run."""
    check_module(module)
    if isinstance(recipe.epochs, bool) or not isinstance(recipe.epochs, int) or recipe.epochs < 1:
        raise ValueError(f"epochs={recipe.epochs!r}; it must be a whole number, at least 1.")
    function = as_loss_function(loss)
    batches = make_batches(data, recipe, next(module.parameters()))
    if isinstance(batches, TensorBatches):
        check_rows(batches.X, batches.y)
        if isinstance(data, tuple | list) and not isinstance(data[1], Tensor):
            batches.y = suited(module, function, batches.X, batches.y)
    begin(module, recipe)
    optimizer = make_optimizer(module, recipe)
    closure = needs_closure(type(optimizer)) if recipe.closure is None else recipe.closure
    total = None if batches.per_epoch is None else batches.per_epoch * recipe.epochs
    recorded, rule = recording(record, total, batches.per_epoch)
    scheduler = make_scheduler(optimizer, recipe)
    job = Job(module, batches, function, recipe, optimizer, scheduler, closure, recorded, TrainingTrace(rule))
    job.columns = column_names(data[0]) if isinstance(data, tuple | list) else None
    return job


def _teller(line: Progress, job: Job) -> Callable[[int, int, float], None] | None:
    """What says how far the training is; None where nobody looks."""
    if line.silent:
        return None
    total = None if job.batches.per_epoch is None else job.batches.per_epoch * job.recipe.epochs

    def tell(step: int, epoch: int, loss: float) -> None:
        of = f" of {total:,}" if total else ""
        line.stage(f"step {step:,}{of} · epoch {epoch:,} of {job.recipe.epochs:,} · loss {loss:.4g}")

    return tell
