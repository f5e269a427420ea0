"""A training that is ready to run, and on its way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

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


class Keeper(Protocol):
    """Keeps checkpoints of a job."""

    def due(self, step: int, now: float) -> bool:
        """Whether to keep this step."""

    def begin_epoch(self, job: Job) -> None:
        """Remember the random numbers from which the epoch's order is drawn."""

    def keep(self, job: Job, epoch: int, number: int) -> None:
        """Write the job after this batch of this epoch."""


@dataclass
class Job:
    """A training that is ready to run: everything checked and made.

    done : (epoch, batch) after which a resumed training goes on; (1, 0) for one from its start.
    resumed : puts the random numbers where the training stopped; called once, when its batches are there again.
    steps : taken so far.  stopped, detail : why it ended early, in a word and in a sentence.
    begun : when it started, by ``time.perf_counter``, less what it took before it was resumed.  seconds : what it took.
    columns : names of X's columns.  epoch_sum : losses of the epoch's batches so far, added up.
    value : loss on the last batch.
    """

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
    detail: str = ""
    keeper: Keeper | None = None
    done: tuple[int, int] = (1, 0)
    resumed: Callable[[], None] | None = None
    columns: tuple[str, ...] | None = None
    seconds: float = 0.0
    epoch_sum: float = 0.0
    value: float = math.nan

    @property
    def state(self) -> list[Tensor]:
        """Parameters and buffers, in the module's order."""
        return [*(p.detach() for p in self.module.parameters()), *self.module.buffers()]

    def snapshot(self) -> State:
        """A copy of ``state``."""
        return tuple(t.clone() for t in self.state)

    @property
    def rate(self) -> float:
        """Learning rate of the first parameter group; nan where there is none."""
        return float(self.optimizer.param_groups[0].get("lr", math.nan))
