"""What is kept of a training: each backward pass in a line, some of them in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.check.program import Program
from sightline.check.watching.batches import Batches
from sightline.check.watching.operations import size_of
from sightline.check.watching.places import Spot

CLOSE = 12  # first backward passes that are looked at closely
GROWTH = 1.2  # then each is this much later than the last
MOST_PATHS = 256  # weights kept along the way, thinned to every other one when there are more
LARGEST_PATH = 200_000  # parameters; of larger models the weights are kept at close looks only
MOST_PATH_NUMBERS = 8_000_000  # in all of them
MOST_LOSSES = 200_000
MOST_COPIED = 256 * 2**20  # bytes of weights and gradients in the close looks of one training
FEWEST_BEATS = 3
KEPT_PROGRAMS = 3


@dataclass(slots=True)
class Event:
    """Something that happened to gradients or weights between two backward passes.

    kind : "zero_grad" (an optimizer's or module's), "grad none", "grad zeroed", "step" (an optimizer's), "update" (by
    hand: in place, ``p.data = ...``, or a new leaf), "clip", "grad changed" (in place), "grad set".  at : None in
    passes that are not looked at closely.  what : the optimizer, or the parameter.  grads : at a step that is looked at
    closely, the norm of each of its parameters' gradients, None where there is none; changed : whether it changed any
    weight.  options : learning rate and the like of each parameter group at a close step.
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

    @property
    def nbytes(self) -> int:
        """Bytes of the copies of weights and gradients."""
        return sum(size_of(t) for t in (*self.weights, *self.before, *self.after) if t is not None)

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

    parameters : the leaves, as they are now.  names : as the person's code calls them.  start : the weights at the
    first backward pass.  backwards : how many there were.  losses : at the backward passes ``loss_at`` (from 0, up):
    at each of them (thinned: every ``loss_stride``-th) in the first phase, later at those that were watched.  path :
    (number of the backward pass, weights) along the way.  beats : close looks.  tail : events after the last pass.
    counts : events by kind; passes that were skipped are taken to have had those of the pass watched before them.
    skipped : passes that were counted but not watched.  recreated : each update makes new leaves.
    """

    parameters: list[Tensor]
    at: Spot | None
    names: list[str] = field(default_factory=list)
    module: nn.Module | None = None
    start: list[Tensor] = field(default_factory=list)
    backwards: int = 0
    losses: list[float] = field(default_factory=list)
    loss_at: list[int] = field(default_factory=list)
    loss_stride: int = 1
    path: list[tuple[int, list[Tensor]]] = field(default_factory=list)
    path_stride: int = 1
    beats: list[Beat] = field(default_factory=list)
    batches: Batches = field(default_factory=Batches)
    optimizers: list[SeenOptimizer] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    tail: list[Event] = field(default_factory=list)
    next_close: int = CLOSE
    namespace: dict[str, Any] = field(default_factory=dict)
    begun: float = 0.0
    ended: float = 0.0
    order: int = 0
    skipped: int = 0
    recreated: bool = False
    size: int = 0  # number of trained numbers
    _noted: int = 0
    _copied: int = 0  # bytes of the beats

    def __post_init__(self) -> None:
        self.measure()

    def measure(self) -> None:
        """Count the trained numbers; to be called when there are other parameters."""
        self.size = sum(p.numel() for p in self.parameters)

    @property
    def watched(self) -> int:
        """Backward passes that were watched."""
        return self.backwards - self.skipped

    @property
    def close_is_due(self) -> bool:
        """Whether the next backward pass is one to look at closely."""
        return self.backwards < CLOSE or self.backwards >= self.next_close

    def is_close(self) -> bool:
        """Whether the next backward pass is one to look at closely; plans the one after it."""
        if self.backwards < CLOSE:
            return True
        if self.backwards >= self.next_close:
            self.next_close = int(self.backwards * GROWTH) + 1
            return True
        return False

    def note_beat(self, beat: Beat) -> None:
        """Keep a close look; of large models few, the first ones and the newest."""
        if self._copied > MOST_COPIED and len(self.beats) > FEWEST_BEATS:
            dropped = self.beats.pop()
            self._copied -= dropped.nbytes
            if self.path and self.path[-1][1] is dropped.weights:
                self.path.pop()
        # Programs hold their batch: those of the first passes are kept, and that of the newest close look.
        if len(self.beats) > KEPT_PROGRAMS:
            self.beats[-1].program = None
        self.beats.append(beat)
        self._copied += beat.nbytes
        if self.size > LARGEST_PATH:
            self.path.append((beat.number, beat.weights))

    def note_loss(self, loss: float) -> None:
        """Keep the loss of this backward pass."""
        if self._noted % self.loss_stride == 0:
            self.losses.append(loss)
            self.loss_at.append(self.backwards)
            if len(self.losses) > MOST_LOSSES:
                self.losses, self.loss_at = self.losses[::2], self.loss_at[::2]
                self.loss_stride *= 2
        self._noted += 1

    def note_path(self) -> None:
        """Keep the weights now and then; those of large models are kept with the close looks alone."""
        if self.size > LARGEST_PATH or self.backwards % self.path_stride:
            return
        self.path.append((self.backwards, copies(self.parameters)))
        if len(self.path) > MOST_PATHS or len(self.path) * self.size > MOST_PATH_NUMBERS:
            self.path = self.path[::2]
            self.path_stride *= 2

    def weights(self) -> list[Tensor]:
        """The weights as they are now."""
        return copies(self.parameters)


def copies(values: Sequence[Tensor]) -> list[Tensor]:
    """Detached copies."""
    return [v.detach().clone() for v in values]
