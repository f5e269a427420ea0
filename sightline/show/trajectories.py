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
from sightline.design_matrix import as_design
from sightline.objective import Objective, Weights, weights_from
from sightline.recipes.result import Training
from sightline.result import Result
from sightline.show.optimum import Optimum, optimum_of
from sightline.show.picture import PictureError

WORK = 300_000_000  # scores (rows times outputs times steps) that are evaluated
HUGE = 1e150  # weights beyond which products of two overflow


@dataclass(frozen=True)
class Trajectory:
    """Weights step by step.

    label : what the training is called in pictures.
    objective : the problem, with its rows.
    weights : (T) of them, as the objective holds weights.  steps : (T,) their step numbers, rising.
    epochs, seconds : (T,) passes over the rows and time at them, or None.
    rate : learning rate at the last step, or None.
    batch : rows of a step; None for all, 0 for fewer than all where it is not known how many.
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
        return Trajectory(label or "", on_cpu(source), [], [])
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
    objective: Objective | None = data if isinstance(data, Objective) else source.objective
    if objective is None:
        raise PictureError(f"this training has no convex problem to be drawn against. {source.sentence}".strip())
    if data is not None and data is not objective:
        objective = replace(objective, data=_rows(source, objective, data))
    objective = on_cpu(objective)
    trace, recipe = source.trace, source.recipe
    pairs = _few(trace.weights, objective.n * (objective.outputs or 1))
    steps = [int(step) for step, _ in pairs]
    epochs = _at(trace, "epoch", steps)
    optimum = None
    if data is None and source.optimum is not None and source.optimum_weights is not None:
        optimum = Optimum.of(objective, fitting(objective, source.optimum_weights), source.optimum.certificate)
    return Trajectory(
        label if label is not None else recipe_label(recipe), objective,
        [fitting(objective, w) for _, w in pairs], steps, epochs, _at(trace, "seconds", steps), _rate(source),
        _batch(source, objective, steps, epochs), optimizer_name(recipe),
        1.0 if source.minimised is None else source.minimised.factor, source.stopped, optimum,
    )  # fmt: skip


def _few(pairs: Sequence[Any], scores: int) -> Sequence[Any]:
    """Steps of a long training on many rows, by equal ratios, so that evaluating them stays a matter of seconds."""
    most = max(64, WORK // scores)
    if len(pairs) <= most:
        return pairs
    places = torch.logspace(0, math.log10(len(pairs)), most, dtype=torch.float64).round().long() - 1
    return [pairs[int(i)] for i in places.clamp(0, len(pairs) - 1).unique()]


def _batch(source: Training, objective: Objective, steps: Sequence[int], epochs: list[float] | None) -> int | None:
    """Rows of a step where a step has fewer than all: the recipe's.  A loader's are not recorded: 0 where an epoch has
    more than one step, and 1 where it has as many as there are rows."""
    if source.recipe.batch_size is not None or not epochs or not epochs[-1]:
        return source.recipe.batch_size
    per_epoch = round(steps[-1] / epochs[-1])
    return None if per_epoch <= 1 else 1 if per_epoch == objective.n else 0


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
    data = on_cpu(data)
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
        return on_cpu(data)
    return on_cpu(Objective(_rows(source, None, data), source.loss, source.penalty, source.fit_intercept))


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


def on_cpu(objective: Objective) -> Objective:
    """The problem with its rows in the main memory, where pictures are made; itself if they are there."""
    data = objective.data
    if data.design.device.type == "cpu":
        return objective
    weight, offset = (None if t is None else t.cpu() for t in (data.weight, data.offset))
    rows = replace(data, design=as_design(data.design.to_dense().cpu()), y=data.y.cpu(), weight=weight, offset=offset)
    return replace(objective, data=rows)


def fitting(objective: Objective, weights: Weights) -> Weights:
    """Weights in the form that the objective holds, float64."""
    coef, intercept = weights.coef.detach().double().cpu(), weights.intercept.detach().double().cpu()
    if coef.shape != objective.zeros().coef.shape:
        raise PictureError(
            f"the weights have shape {tuple(coef.shape)}, but the problem's have"
            f" {tuple(objective.zeros().coef.shape)}: give the data that the training saw."
        )
    return Weights(coef, intercept)


def optimizer_name(recipe: Any) -> str:
    """The optimizer's name in lower case, whether the recipe has its name, its class, one made already or its maker."""
    optimizer = recipe.optimizer
    if isinstance(optimizer, str):
        return optimizer.lower()
    if isinstance(optimizer, torch.optim.Optimizer):
        return type(optimizer).__name__.lower()
    made = getattr(optimizer, "func", optimizer)  # of a functools.partial
    return str(getattr(made, "__name__", type(made).__name__)).lower()


def recipe_label(recipe: Any) -> str:
    """What distinguishes recipes, in a few words: 'SGD, lr 0.1, momentum 0.9, batch 10'."""
    name, made = optimizer_name(recipe), getattr(recipe.optimizer, "defaults", {})
    names = {"sgd": "SGD", "vanilla": "gradient descent by hand", "lbfgs": "L-BFGS", "rmsprop": "RMSprop"}
    known = {n.lower(): n for n in dir(torch.optim) if n[0].isupper()}
    parts = [names.get(name, known.get(name, name))]
    rate = made.get("lr") if recipe.lr is None else recipe.lr
    if isinstance(rate, float | int):
        parts.append(f"lr {rate:g}")
    arguments = {**made, **recipe.arguments}
    if arguments.get("momentum"):
        parts.append(f"{'Nesterov ' if arguments.get('nesterov') else ''}momentum {arguments['momentum']:g}")
    decay = made.get("weight_decay") if recipe.weight_decay is None else recipe.weight_decay
    if isinstance(decay, float | int) and decay:
        parts.append(f"decay {decay:g}" + (" on weights" if recipe.decay == "weights" else ""))
    elif isinstance(decay, Mapping):
        parts.append("decay " + " and ".join(f"{v:g} on {k}" for k, v in decay.items() if v))
    if recipe.batch_size is not None:
        parts.append(f"batch {recipe.batch_size}")
    return ", ".join(parts)
