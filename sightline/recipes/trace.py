"""The trace of a training: what was recorded while it ran, and what is computed from that when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from torch import Tensor

from sightline.recipes.chosen import Every, Significant
from sightline.trace import Trace

MOST = 2000  # steps recorded by record='auto'

State = tuple[Tensor, ...]


class Judge(Protocol):
    """Says of recorded parameters what they are worth on all data."""

    def weights(self, state: State) -> Any:
        """The linear map's ``Weights``, or the parameters by name where the module is not linear."""

    def judge(self, state: State) -> tuple[float, float, float]:
        """(objective, loss in the recipe's own units, gradient norm), all on all data."""

    def lower_bound(self) -> float:
        """A number that no weights' objective goes below; nan where nothing convex is minimised."""


class TrainingTrace(Trace):
    """The recorded steps of a training, one entry each in every list.

    step : number of steps taken; 0 is the start, the last entry the end.
    epoch : passes over the rows at that step, a fraction within a pass.
    batch_loss : the recipe's loss on the batch of that step (before the step, as a loop prints it); nan at step 0.
    learning_rate : of the first parameter group in that step; that of the first step at 0.
    seconds : time since the start of the training.
    weights : (step, ``Weights``) pairs: coef (p,) or (p, K) and intercept () or (K,), in the units of X.  Where the
        module is not linear: its parameters and buffers by name.

    On all data at the recorded weights, computed when first asked for and not in the training's loop:

    value : the objective: what the recipe minimises, as ``Training.objective`` counts it; where nothing convex is
        minimised, the same as ``loss``.
    loss : the recipe's loss without any penalty, in its own units, as the batches of an epoch weigh the rows.
    gradient_norm : Euclidean norm of the gradient of ``value``.
    gap : ``value`` minus the certified lower bound of its optimum (>= 0); inf where there is none.

    ``rule`` says which steps were recorded.
    """

    def __init__(self, rule: str = "every step", judge: Judge | None = None) -> None:
        self.rule = rule
        self.step: list[int] = []
        self.epoch: list[float] = []
        self.batch_loss: list[float] = []
        self.learning_rate: list[float] = []
        self.seconds: list[float] = []
        self.states: list[State] = []
        self.judge = judge
        self.to_user = None
        self._weights: list[tuple[int, Any]] | None = None
        self._judged: dict[int, tuple[float, float, float]] = {}  # by place in the lists
        self._gap: dict[int, float] = {}

    def record(
        self, step: int, epoch: float, batch_loss: float, learning_rate: float, seconds: float, state: State
    ) -> None:
        """Keep one step."""
        self.step.append(step)
        self.epoch.append(epoch)
        self.batch_loss.append(batch_loss)
        self.learning_rate.append(learning_rate)
        self.seconds.append(seconds)
        self.states.append(state)

    def fill(
        self, judged: list[tuple[float, float, float]], gap: list[float], weights: list[tuple[int, Any]]
    ) -> None:
        """Give it what is otherwise computed when asked for: (value, loss, gradient norm), gap and weights."""
        self._judged, self._gap, self._weights = dict(enumerate(judged)), dict(enumerate(gap)), weights

    def cut(self, last: int) -> None:
        """Forget what was recorded after a step, and what was recorded in part only."""
        lists = (self.step, self.epoch, self.batch_loss, self.learning_rate, self.seconds, self.states)
        count = min(sum(step <= last for step in self.step), *(len(entries) for entries in lists))
        for entries in lists:
            del entries[count:]
        self._judged, self._gap = {}, {}

    def judged(self, place: int) -> tuple[float, float, float, float]:
        """(value, loss, gradient norm, gap) at one place of the lists, without those at the others."""
        found = self._at(place)
        if place not in self._gap:
            bound = math.nan if self.judge is None else self.judge.lower_bound()
            self._gap[place] = math.inf if math.isnan(bound) else max(found[0] - bound, 0.0)
        return *found, self._gap[place]

    def _at(self, place: int) -> tuple[float, float, float]:
        if place not in self._judged:
            if self.judge is None:
                return math.nan, math.nan, math.nan
            self._judged[place] = self.judge.judge(self.states[place])
        return self._judged[place]

    def _values(self, which: int) -> list[float]:
        return [self._at(place)[which] for place in range(len(self.step))]

    # Computed when asked for, where a fit's trace has plain lists.
    @property
    def value(self) -> list[float]:  # type: ignore[override]
        """Objective on all data."""
        return self._values(0)

    @property
    def loss(self) -> list[float]:
        """The recipe's loss on all data."""
        return self._values(1)

    @property
    def gradient_norm(self) -> list[float]:  # type: ignore[override]
        """Norm of the objective's gradient on all data."""
        return self._values(2)

    @property
    def gap(self) -> list[float]:  # type: ignore[override]
        """Distance of ``value`` from the certified lower bound."""
        return [self.judged(place)[3] for place in range(len(self.step))]

    @property
    def weights(self) -> list[tuple[int, Any]]:
        """(step, Weights) pairs."""
        if self._weights is None or len(self._weights) != len(self.step):
            judge = self.judge
            if judge is None:
                return []
            self._weights = [(step, judge.weights(state)) for step, state in zip(self.step, self.states)]
        return self._weights

    @property
    def working(self) -> list[tuple[int, Any]]:  # type: ignore[override]
        """The same as ``weights``: a recipe works in the user's units."""
        return self.weights

    def __len__(self) -> int:
        return len(self.step)

    def __iter__(self) -> Iterator[tuple[int, float, float, float, float]]:
        """(step, value, gap, gradient norm, seconds)."""
        return iter(zip(self.step, self.value, self.gap, self.gradient_norm, self.seconds, strict=True))

    def __repr__(self) -> str:
        last = self.step[-1] if self.step else 0
        return f"TrainingTrace({last:,} steps; recorded: the start and {max(len(self) - 1, 0):,} of them, {self.rule})"


Record = str | int | Callable[[int], bool]


def recording(record: Record, total: int | None, per_epoch: int | None) -> tuple[Callable[[int], bool], str]:
    """Which steps to record, and the rule in words.  The start and the end are recorded besides.

    record : 'auto': every step up to 2,000 of them, beyond that those whose number has at most b significant bits, with
        the largest b that leaves 2,000; 'all'; 'epochs': the last step of each epoch; 'ends': none between start and
        end; a number k: every k-th; a function of the step's number.

    Raises
    ------
    ValueError : none of these.
    """
    if callable(record):
        return record, "as asked"
    if isinstance(record, int) and not isinstance(record, bool):
        if record < 1:
            raise ValueError(f"record={record}; every how many steps to record must be at least 1.")
        return Every(record), f"every {record} steps"
    if record == "all" or (record == "auto" and total is not None and total <= MOST):
        return Every(1), "every step"
    if record == "auto":
        bits = 12
        while bits > 6 and _count(bits, total or 1 << 30) > MOST:
            bits -= 1
        return Significant(bits), f"steps whose number has at most {bits} significant bits"
    if record == "epochs":
        if per_epoch is None:
            raise ValueError("record='epochs' needs a DataLoader of known length; use record=k for every k-th step.")
        return Every(per_epoch), "the last step of each epoch"
    if record == "ends":
        return Every(0), "the start and the end"
    raise ValueError(f"record={record!r}; choose 'auto', 'all', 'epochs', 'ends', a number, or a function of the step.")


def _count(bits: int, total: int) -> int:
    """How many of the numbers up to ``total`` have at most so many significant bits."""
    size = total.bit_length()
    if size <= bits:
        return total
    return (1 << bits) + (size - bits - 1) * (1 << (bits - 1)) + (total >> (size - bits)) - (1 << (bits - 1))
