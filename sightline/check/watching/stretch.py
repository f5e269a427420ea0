"""What is kept of a training: each backward pass in a line, some of them in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.check.program import Program
from sightline.check.watching.batches import Batches
from sightline.check.watching.places import Spot

CLOSE = 12  # first backward passes that are looked at closely
GROWTH = 1.2  # then each is this much later than the last
MOST_PATHS = 256  # weights kept along the way, thinned to every other one when there are more
LARGEST_PATH = 200_000  # parameters; of larger models the weights are kept at close looks only
MOST_LOSSES = 400_000


@dataclass
class Event:
    """Something that happened to gradients or weights between two backward passes.

    kind : "zero_grad" (an optimizer's or module's), "grad none", "grad zeroed", "step" (an optimizer's), "update" (in
    place, by hand), "data" (``p.data = ...``), "clip".  what : the optimizer, or the parameter.  grads : at a step that
    is looked at closely, the norm of each of its parameters' gradients, None where there is none; changed : whether it
    changed any weight.  options : learning rate and the like of each parameter group at a close step.
    """

    kind: str
    at: Spot | None
    what: Any = None
    grads: tuple[float | None, ...] | None = None
    changed: bool | None = None
    options: tuple[dict[str, Any], ...] = ()


@dataclass
class Beat:
    """One backward pass, looked at closely.

    number : of the backward passes of this training, from 0.  before, after : the parameters' gradients around it (None
    where there was none); ``after`` is what was returned where ``torch.autograd.grad`` was called.  weights : at it.
    events : since the last backward pass of this training.
    """

    number: int
    at: Spot | None
    loss: float
    program: Program | None
    weights: list[Tensor]
    before: list[Tensor | None]
    after: list[Tensor | None]
    events: list[Event]
    returned: bool = False  # by torch.autograd.grad, not stored in .grad

    def own_gradient(self) -> list[Tensor]:
        """The gradient that this backward pass alone made."""
        made = []
        for weight, old, new in zip(self.weights, self.before, self.after):
            if new is None:
                made.append(torch.zeros_like(weight))
            else:
                made.append(new if old is None or self.returned else new - old)
        return made


@dataclass
class SeenOptimizer:
    """An optimizer of the script: where it was made, what it was given, how often it stepped."""

    optimizer: torch.optim.Optimizer
    at: Spot | None
    steps: int = 0

    @property
    def kind(self) -> str:
        """The class's name, "SGD"."""
        return type(self.optimizer).__name__

    @property
    def parameters(self) -> list[Tensor]:
        """All that it was given."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


@dataclass
class Stretch:
    """All that was seen of the training of one set of parameters.

    parameters : the leaves, as they are now.  names : as the person's code calls them.  start : the weights at the first
    backward pass.  backwards, updates : how many there were.  losses : at each backward pass (thinned: every
    ``loss_stride``-th).  path : (number of the backward pass, weights) along the way.  beats : close looks.
    last : what is needed for a close look at the last backward pass.
    """

    parameters: list[Tensor]
    at: Spot | None
    names: list[str] = field(default_factory=list)
    module: nn.Module | None = None
    start: list[Tensor] = field(default_factory=list)
    backwards: int = 0
    losses: list[float] = field(default_factory=list)
    loss_stride: int = 1
    path: list[tuple[int, list[Tensor]]] = field(default_factory=list)
    path_stride: int = 1
    beats: list[Beat] = field(default_factory=list)
    batches: Batches = field(default_factory=Batches)
    optimizers: list[SeenOptimizer] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # events by kind
    tail: list[Event] = field(default_factory=list)  # after the last backward pass
    next_close: int = CLOSE
    namespace: dict[str, Any] = field(default_factory=dict)
    begun: float = 0.0
    ended: float = 0.0
    order: int = 0

    @property
    def size(self) -> int:
        """Number of trained numbers."""
        return sum(p.numel() for p in self.parameters)

    def is_close(self) -> bool:
        """Whether the next backward pass is one to look at closely."""
        if self.backwards < CLOSE:
            return True
        if self.backwards >= self.next_close:
            self.next_close = int(self.backwards * GROWTH) + 1
            return True
        return False

    def note_loss(self, loss: float) -> None:
        """Keep the loss of this backward pass."""
        if self.backwards % self.loss_stride == 0:
            self.losses.append(loss)
            if len(self.losses) > MOST_LOSSES:
                self.losses = self.losses[::2]
                self.loss_stride *= 2

    def note_path(self, close: bool) -> None:
        """Keep the weights now and then."""
        due = self.backwards % self.path_stride == 0 and self.size <= LARGEST_PATH
        if due or (close and self.size > LARGEST_PATH):
            self.path.append((self.backwards, copies(self.parameters)))
            if len(self.path) > MOST_PATHS:
                self.path = self.path[::2]
                self.path_stride *= 2

    def weights(self) -> list[Tensor]:
        """The weights as they are now."""
        return copies(self.parameters)


def copies(values: Sequence[Tensor]) -> list[Tensor]:
    """Detached copies."""
    return [v.detach().clone() for v in values]
