"""Trajectory: where a training went, with the problem that it was a training of, whatever it came from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sightline.data import Data, make_data
from sightline.objective import Objective, Weights, weights_from
from sightline.recipes.result import Training
from sightline.result import Result
from sightline.show.optimum import Optimum, optimum_of
from sightline.show.picture import PictureError

HUGE = 1e150  # weights beyond which products of two overflow


@dataclass(frozen=True)
class Trajectory:
    """Weights step by step.

    label : what the training is called in pictures.
    objective : the problem, with its rows.
    weights : (T) of them, as the objective holds weights.  steps : (T,) their step numbers, rising.
    epochs, seconds : (T,) passes over the rows and time at them, or None.
    rate : learning rate at the last step, or None.  batch : rows of a step, None for all.
    optimizer : its name in lower case, '' where none is known.
    factor : the loss that was trained is so many times the objective's (2 for ``nn.MSELoss``, which is not halved);
        pictures show losses, gradients and curvatures in its units, with which learning rates go.
    stopped : why the training ended early, '' where it did not.
    """

    label: str
    objective: Objective
    weights: list[Weights]
    steps: list[int]
    epochs: list[float] | None = None
    seconds: list[float] | None = None
    rate: float | None = None
    batch: int | None = None
    optimizer: str = ""
    factor: float = 1.0
    stopped: str = ""
    known_optimum: Optimum | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.weights)

    @cached_property
    def optimum(self) -> Optimum:
        """The certified optimum of the problem, or what there is in its place."""
        return self.known_optimum or optimum_of(self.objective)

    @cached_property
    def flat(self) -> Tensor:
        """(T, P) weights as rows, in the layout of ``Weights.flat``."""
        if not self.weights:
            return self.objective.zeros().flat()[None][:0]
        return torch.stack([w.flat() for w in self.weights])

    @cached_property
    def finite(self) -> int:
        """Number of leading steps whose weights are finite, and small enough for products of them to be: what can be
        drawn of a training that diverged."""
        bad = (~(self.flat.abs() < HUGE)).any(1).nonzero()
        return int(bad[0]) if len(bad) else len(self)

    @cached_property
    def values(self) -> list[float]:
        """What was trained (``factor`` times the objective) at the weights of each step, inf where it overflows."""
        found = [self.factor * self.objective.value(w) for w in self.weights[: self.finite]]
        return [v if math.isfinite(v) else math.inf for v in found] + [math.inf] * (len(self) - self.finite)

    @property
    def lowest(self) -> float:
        """The optimum's value (or the infimum) in the units of ``values``."""
        return self.factor * self.optimum.value

    def last(self) -> Weights:
        """The last finite weights."""
        if self.finite == 0:
            raise PictureError(
                "the training holds no weights: record them (a trace of weights), or give a list of them."
            )
        return self.weights[self.finite - 1]

    @property
    def clock(self) -> tuple[str, list[float]]:
        """('epoch' or 'step', its number at each step)."""
        return ("step", [float(s) for s in self.steps]) if self.epochs is None else ("epoch", self.epochs)


def trajectory(source: Any, data: Any = None, *, label: str | None = None) -> Trajectory:
    """Where a training went.

    Parameters
    ----------
    source : a ``Training`` (of ``sl.train``), a ``Result`` (of ``sl.fit``), a ``Trajectory``, an ``Objective`` (no
        steps, its optimum alone), or a list of weights: ``Weights``, (weight, bias) pairs of shapes (K, p) and (K,), or
        (step number, either of them).
    data : (X, y) as ``fit`` takes them, or the ``Objective`` itself. A ``Training`` brings its own; a ``Result`` needs
        the rows that it was fitted on, a list of weights needs the ``Objective``.
    label : its name in pictures.

    Raises
    ------
    PictureError : what is missing, and how to give it.  DataError : the rows cannot be used.
    """
    if isinstance(source, Trajectory):
        return source
    if isinstance(source, Objective):
        return Trajectory(label or "", source, [], [])
    if isinstance(source, Training):
        return _of_training(source, data, label)
    if isinstance(source, Result):
        return _of_result(source, data, label)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _of_list(source, data, label)
    raise PictureError(
        f"a {type(source).__name__} cannot be drawn; give the result of sl.train or sl.fit, an Objective,"
        " or a list of weights with data=Objective(...)."
    )


def trajectories(sources: Sequence[Any], data: Any = None) -> list[Trajectory]:
    """One or several of them, or a mapping from label to each; labels are made to differ."""
    if len(sources) == 1 and isinstance(sources[0], Mapping):
        found = [trajectory(s, data, label=str(name)) for name, s in sources[0].items()]
    else:
        found = [trajectory(s, data) for s in sources]
    if not found:
        raise PictureError("there is no training to draw: give one or more results of sl.train.")
    return found


def _of_training(source: Training, data: Any, label: str | None) -> Trajectory:
    objective: Objective | None = source.objective
    if objective is None:
        raise PictureError(f"this training has no convex problem to be drawn against. {source.sentence}".strip())
    if data is not None:
        objective = data if isinstance(data, Objective) else replace(objective, data=_rows(source, objective, data))
    trace, recipe = source.trace, source.recipe
    steps = [int(step) for step, _ in trace.weights]
    optimum = None
    if data is None and source.optimum is not None and source.optimum_weights is not None:
        optimum = Optimum.of(objective, source.optimum_weights, source.optimum.certificate)
    name = recipe.optimizer if isinstance(recipe.optimizer, str) else recipe.optimizer.__name__
    return Trajectory(
        label if label is not None else recipe_label(recipe), objective,
        [fitting(objective, w) for _, w in trace.weights], steps,
        _at(trace, "epoch", steps), _at(trace, "seconds", steps), _rate(source), recipe.batch_size, name.lower(),
        1.0 if source.minimised is None else source.minimised.factor, source.stopped, optimum,
    )  # fmt: skip


def _at(trace: Any, name: str, steps: Iterable[int]) -> list[float] | None:
    """A column of the trace at these steps."""
    values = getattr(trace, name, None)
    numbers = getattr(trace, "step", None)
    if values is None or numbers is None or len(values) != len(numbers):
        return None
    place = {int(s): float(v) for s, v in zip(numbers, values, strict=True)}
    found = [place.get(s) for s in steps]
    return None if any(v is None for v in found) else [float(v) for v in found if v is not None]


def _rate(source: Training) -> float | None:
    rates = source.trace.learning_rate
    rate = float(rates[-1]) if rates else source.recipe.lr
    return None if rate is None or not math.isfinite(rate) else rate


def _of_result(source: Result, data: Any, label: str | None) -> Trajectory:
    if data is None:
        raise PictureError("a Result of sl.fit does not hold its rows: give them, data=(X, y).")
    objective = objective_of(source, data)
    pairs = source.trace.weights or [(source.n_iter, _weights_of(source))]
    weights = [fitting(objective, w) for _, w in pairs]
    seconds = source.trace.seconds
    steps = [int(step) for step, _ in pairs]
    times = [float(seconds[s]) for s in steps] if seconds and steps[-1] < len(seconds) else None
    certificate = source.certificate
    optimum = (
        Optimum.of(objective, fitting(objective, _weights_of(source)), certificate) if certificate.optimal else None
    )
    return Trajectory(
        label or "fit by " + source.solver.split(":")[0], objective, weights, steps, None, times, known_optimum=optimum
    )


def _of_list(source: Sequence[Any], data: Any, label: str | None) -> Trajectory:
    if not isinstance(data, Objective):
        raise PictureError(
            "weights alone do not say what they minimise: give data=Objective(make_data(X, y, loss), loss)."
        )
    steps, weights = [], []
    for number, entry in enumerate(source):
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], int):
            number, entry = entry
        steps.append(number)
        weights.append(fitting(data, entry) if isinstance(entry, Weights) else weights_from(data, entry))
    return Trajectory(label or "", data, weights, steps)


def objective_of(source: Result, data: Any) -> Objective:
    """The problem of a result over rows that are given: (X, y), ``Data`` or the ``Objective`` itself."""
    if isinstance(data, Objective):
        return data
    return Objective(_rows(source, None, data), source.loss, source.penalty, source.fit_intercept)


def _rows(source: Result, objective: Objective | None, data: Any) -> Data:
    if isinstance(data, Data):
        return data
    try:
        X, y = data
    except (TypeError, ValueError):
        raise PictureError("data= takes the pair (X, y), or an Objective.") from None
    loss = source.loss if objective is None else objective.loss
    classes = source.classes if objective is None else objective.data.classes
    return make_data(X, y, loss, classes=classes, columns=source.columns)


def _weights_of(result: Result) -> Weights:
    weight, bias = result.weight.double(), result.bias.double()
    return Weights(weight[0], bias[0]) if len(weight) == 1 else Weights(weight.T.contiguous(), bias)


def fitting(objective: Objective, weights: Weights) -> Weights:
    """Weights in the form that the objective holds, float64."""
    coef, intercept = weights.coef.detach().double(), weights.intercept.detach().double()
    if coef.shape != objective.zeros().coef.shape:
        raise PictureError(
            f"the weights have shape {tuple(coef.shape)}, but the problem's have"
            f" {tuple(objective.zeros().coef.shape)}: give the data that the training saw."
        )
    return Weights(coef, intercept)


def recipe_label(recipe: Any) -> str:
    """What distinguishes recipes, in a few words: 'SGD, lr 0.1, momentum 0.9, batch 10'."""
    name = recipe.optimizer if isinstance(recipe.optimizer, str) else recipe.optimizer.__name__
    names = {"sgd": "SGD", "vanilla": "gradient descent by hand", "lbfgs": "L-BFGS", "rmsprop": "RMSprop"}
    known = {n.lower(): n for n in dir(torch.optim) if n[0].isupper()}
    parts = [names.get(name.lower(), known.get(name.lower(), name))]
    if recipe.lr is not None:
        parts.append(f"lr {recipe.lr:g}")
    momentum = recipe.arguments.get("momentum")
    if momentum:
        parts.append(f"{'Nesterov ' if recipe.arguments.get('nesterov') else ''}momentum {momentum:g}")
    decay = recipe.weight_decay
    if isinstance(decay, float | int) and decay:
        parts.append(f"decay {decay:g}")
    if recipe.batch_size is not None:
        parts.append(f"batch {recipe.batch_size}")
    return ", ".join(parts)
