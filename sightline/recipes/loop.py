"""The exact engine: the loop as people write it, with ``torch.optim`` and autograd, and a record of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.recipes.batches import Batches
from sightline.recipes.recipe import Recipe
from sightline.recipes.trace import State, TrainingTrace

LossFunction = Callable[[Any, Any], Tensor]


@dataclass(frozen=True)
class Moment:
    """What a callback is told after a step.

    step, epoch : numbers, the first is 1.  loss : on the step's batch, before the step.
    """

    step: int
    epoch: int
    loss: float
    module: nn.Module
    optimizer: torch.optim.Optimizer


@dataclass
class Job:
    """A training that is ready to run: everything checked and made."""

    module: nn.Module
    batches: Batches
    loss: LossFunction
    recipe: Recipe
    optimizer: torch.optim.Optimizer
    scheduler: Any
    closure: bool
    recorded: Callable[[int], bool]
    trace: TrainingTrace
    callback: Callable[[Moment], bool | None] | None = None
    progress: Callable[[int, int, float], None] | None = None
    time_limit: float | None = None
    stopped: str = ""
    engine: str = "exact"
    steps: int = 0
    begun: float = field(default_factory=time.perf_counter)

    @property
    def state(self) -> list[Tensor]:
        """Parameters and buffers, in the module's order."""
        return [*(p.detach() for p in self.module.parameters()), *self.module.buffers()]

    def snapshot(self) -> State:
        """A copy of ``state``."""
        return tuple(t.clone() for t in self.state)


class Diverged(Exception):
    """The loss is no longer a finite number."""


def run(job: Job) -> None:
    """Train ``job.module`` in place; the weights after each step are those of a loop without any record.

    The loop stops, with ``job.stopped`` saying why, on Ctrl-C, at the time limit, when the callback returns True, and
    when the loss or the weights are no longer finite: then the last finite weights are put back.
    """
    module, optimizer, loss_function, trace = job.module, job.optimizer, job.loss, job.trace
    parameters = [p.detach() for p in module.parameters()]
    before = [p.clone() for p in parameters]
    step, loss = job.steps, math.nan
    limit = math.inf if job.time_limit is None else job.begun + job.time_limit
    last = step
    rate = float(optimizer.param_groups[0]["lr"]) if "lr" in optimizer.param_groups[0] else math.nan

    def note(epoch: float) -> None:
        trace.record(step, epoch, loss, rate, time.perf_counter() - job.begun, job.snapshot())

    if step == 0:
        note(0.0)
    done = 0.0
    try:
        for epoch in range(1, job.recipe.epochs + 1):
            for number, (X, y) in enumerate(job.batches.epoch(), 1):
                rate = float(optimizer.param_groups[0].get("lr", math.nan))
                torch._foreach_copy_(before, parameters)
                if job.closure:
                    loss = _with_closure(module, optimizer, loss_function, X, y)
                else:
                    optimizer.zero_grad()
                    value = loss_function(module(X), y)
                    loss = value.item()
                    if not math.isfinite(loss):
                        raise Diverged
                    value.backward()
                    optimizer.step()
                step += 1
                done = epoch - 1 + number / job.batches.per_epoch if job.batches.per_epoch else float(epoch - 1)
                if job.scheduler is not None and job.recipe.schedule_per == "step":
                    job.scheduler.step()
                if job.recorded(step):
                    note(done)
                    last = step
                if job.callback is not None and job.callback(Moment(step, epoch, loss, module, optimizer)):
                    job.stopped = "stopped by the callback"
                    return
                if time.perf_counter() > limit:
                    job.stopped = f"time_limit={job.time_limit:g} s"
                    return
            done = float(epoch)
            if job.scheduler is not None and job.recipe.schedule_per == "epoch":
                job.scheduler.step()
    except KeyboardInterrupt:
        job.stopped = "interrupted"
    except Diverged:
        job.stopped = f"diverged in step {step + 1}"
        with torch.no_grad():
            if not all(bool(torch.isfinite(p).all()) for p in parameters):
                torch._foreach_copy_(parameters, before)
    finally:
        job.steps = step
        if last != step:
            note(done)


def _with_closure(
    module: nn.Module, optimizer: torch.optim.Optimizer, loss_function: LossFunction, X: Any, y: Any
) -> float:
    first = math.nan

    def closure() -> Tensor:
        nonlocal first
        optimizer.zero_grad()
        value = loss_function(module(X), y)
        if math.isnan(first):
            first = value.item()
            if not math.isfinite(first):
                raise Diverged
        value.backward()
        return value

    optimizer.step(closure)  # type: ignore[arg-type]
    return first
