"""Learning rates of the steps to come, from torch's own schedulers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch

from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.loop import Job


class Rates:
    """The learning rate of every parameter group, step by step.

    Raises
    ------
    NotCompiled : a scheduler that looks at the training, or changes more than learning rates.
    """

    def __init__(self, job: Job, per_epoch: int) -> None:
        self.scheduler, self.per_step = job.scheduler, job.recipe.schedule_per == "step"
        self.groups, self.per_epoch = job.optimizer.param_groups, per_epoch
        self.others = self._others()
        scheduler = self.scheduler
        if scheduler is None:
            return
        name = type(scheduler).__name__
        if not isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
            raise _no(f"{name} is not a torch.optim.lr_scheduler.LRScheduler")
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            raise _no(f"{name} needs a measurement after each epoch")
        if getattr(scheduler, "cycle_momentum", False):
            raise _no(f"{name} changes the momentum too; set cycle_momentum=False")

    def epochs(self, count: int) -> np.ndarray:
        """Of the next epochs' steps, (count · batches, groups), or (1, groups) for all of them without a scheduler.

        The scheduler is stepped past them.

        Raises
        ------
        NotCompiled : the scheduler changed something else.
        """
        per_epoch = self.per_epoch
        if self.scheduler is None:
            return np.array([self._now()])
        pieces = []
        with warnings.catch_warnings():
            # It is told before the optimizer's step instead of after it.
            warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step\(\)", category=UserWarning)
            for _ in range(count * (per_epoch if self.per_step else 1)):
                pieces.append(self._now())
                self.scheduler.step()
        if self._others() != self.others:
            raise _no(f"{type(self.scheduler).__name__} changes more than the learning rate")
        rates = np.array(pieces)
        return rates if self.per_step else rates.repeat(per_epoch, axis=0)

    def _now(self) -> list[float]:
        return [float(group["lr"]) for group in self.groups]

    def _others(self) -> list[dict[str, Any]]:
        skipped = ("params", "lr", "initial_lr", "max_lr", "min_lr")
        return [{k: v for k, v in group.items() if k not in skipped} for group in self.groups]


def _no(what: str) -> NotCompiled:
    return NotCompiled(
        "engine='compiled' follows schedulers of torch.optim.lr_scheduler that set the learning rate by the number of"
        f" the step or epoch alone: {what}. Use engine='exact'."
    )
