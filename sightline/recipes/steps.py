"""One step of a training: zero_grad, forward, loss, backward, step."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import optimizer as optimizers

from sightline.recipes.checks import CheckedLoss, first_forward
from sightline.recipes.job import Job


class Diverged(Exception):
    """The loss is no longer a finite number."""

    def __init__(self, loss: float) -> None:
        super().__init__(loss)
        self.loss = loss


def _bare(job: Job) -> tuple[Callable[[], None], Callable[[], Any]]:
    """``optimizer.zero_grad`` and ``optimizer.step``, without what PyTorch wraps around them for profilers and hooks,
    where there are none: together a fifth of a small step.
    """
    optimizer = job.optimizer
    kind = type(optimizer)
    inner = getattr(kind.step, "__wrapped__", None)
    watched = (
        job.callback is not None or job.scheduler is not None or "step" in vars(optimizer)
        or optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks
        or optimizers._global_optimizer_pre_hooks or optimizers._global_optimizer_post_hooks
        or torch.autograd._profiler_enabled()  # type: ignore[attr-defined]
    )  # fmt: skip
    wrapped = getattr(kind.step, "hooked", False) and kind.__module__.startswith("torch.optim.")
    if watched or inner is None or not wrapped or kind.zero_grad is not torch.optim.Optimizer.zero_grad:
        return optimizer.zero_grad, optimizer.step
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def clear() -> None:
        for parameter in parameters:
            parameter.grad = None

    return clear, partial(inner, optimizer)


def plain_step(job: Job) -> Callable[[Any, Any], float]:
    """zero_grad, forward, loss, backward, step; gives the loss."""
    module, optimizer, checked = job.module, job.optimizer, CheckedLoss(job.loss)
    forward: Callable[[Any], Any] = partial(first_forward, module)
    clear, step = _bare(job)

    def take(X: Any, y: Any) -> float:
        nonlocal forward
        clear()
        value = checked(forward(X), y)
        forward = module
        loss = value.item()
        if not math.isfinite(loss):
            raise Diverged(loss)
        value.backward()
        try:
            step()
        except TypeError as error:
            raise wants_closure(optimizer, error) from error
        return loss

    return take


def closure_step(job: Job) -> Callable[[Any, Any], float]:
    """One step of an optimizer that asks for the loss itself, as often as it likes; gives the first."""
    module, optimizer, checked = job.module, job.optimizer, CheckedLoss(job.loss)
    forward: Callable[[Any], Any] = partial(first_forward, module)

    def take(X: Any, y: Any) -> float:
        first: float | None = None

        def closure() -> Tensor:
            nonlocal first, forward
            optimizer.zero_grad()
            value = checked(forward(X), y)
            forward = module
            if first is None:
                first = value.item()
                if not math.isfinite(first):
                    raise Diverged(first)
            value.backward()
            return value

        optimizer.step(closure)  # type: ignore[arg-type]
        return math.nan if first is None else first

    return take


def wants_closure(optimizer: torch.optim.Optimizer, error: TypeError) -> Exception:
    """The error of an optimizer that was called without a closure, if that is what it is."""
    if "closure" not in str(error) and "NoneType" not in str(error):
        return error
    return ValueError(
        f"{type(optimizer).__name__}.step needs a closure, a function that computes the loss anew ({error}): say"
        " closure=True in the recipe, and it is given one."
    )


def advance(scheduler: Any, loss: float) -> None:
    """One step of the schedule; one that watches the loss is given it."""
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(loss)
    else:
        scheduler.step()
