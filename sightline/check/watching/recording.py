"""All that was seen of a script, as plain values."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sightline.check.watching.operations import Failure, Operation
from sightline.check.watching.places import Spot
from sightline.check.watching.stretch import Event, SeenOptimizer, Stretch

ALIVE = 8  # losses from which on it is counted how many are still held


class StopWatching(BaseException):
    """Raised in the script to end it at the step limit; no ``except Exception`` of the script's takes it."""


@dataclass
class Call:
    """A call that reads predictions: the last of those from one line.

    backwards : of the whole script, before the last such call.  kwargs, args : empty where they are too large to hold.
    """

    name: str
    at: Spot | None
    count: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Any
    graded: bool
    backwards: int


@dataclass
class Run:
    """The last call of a module that does other things in training than in evaluation: dropout or a batch norm.

    training : its mode.  graded : gradients were being recorded.  backwards : of the whole script, before the call.
    given : its input.
    """

    module: nn.Module
    at: Spot | None
    training: bool
    graded: bool
    backwards: int
    given: Tensor | None


@dataclass
class Recording:
    """What was seen of a script.

    modules, module_calls : by id, in order of their first call.  made_in_forward : layers initialised while a module
    runs.  unseen : backward passes whose computation could not be followed.  carried : calls that took a value whose
    graph is from before the last backward pass, counted in the passes that are looked at closely and the first ones.
    carried_graphs : by line, the end of the last such graph.
    losses : of passes early on; most_alive : how many of them were held at one time by the script.
    runs : by id, of modules with a mode.  stray_events : before any training, or of none.
    ending : "finished", "exit", "error", "interrupted", "time limit" or "step limit".
    notes : what could not be seen, and why, in sentences for the person.
    """

    stretches: list[Stretch] = field(default_factory=list)
    optimizers: list[SeenOptimizer] = field(default_factory=list)
    modules: dict[int, nn.Module] = field(default_factory=dict)
    module_calls: dict[int, int] = field(default_factory=dict)
    calls: dict[tuple[Any, Any], Call] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    made_in_forward: list[tuple[Spot | None, str, int]] = field(default_factory=list)
    backwards: int = 0
    unseen: int = 0
    losses: list[weakref.ref[Tensor]] = field(default_factory=list)
    most_alive: int = 0
    runs: dict[int, Run] = field(default_factory=dict)
    carried: int = 0
    carried_at: Spot | None = None
    carried_graphs: dict[Spot | None, Any] = field(default_factory=dict)
    error: BaseException | None = None
    ending: str = "finished"
    seconds: float = 0.0
    globals: dict[str, Any] = field(default_factory=dict)
    last_operations: list[Operation] = field(default_factory=list)
    stray_events: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note_alive(self) -> None:
        """Count the losses that the script still holds, each time there are twice as many."""
        count = len(self.losses)
        if count >= ALIVE and count & (count - 1) == 0:
            self.most_alive = max(self.most_alive, sum(ref() is not None for ref in self.losses))
