"""Recipe: a training as people write it, as a value that can be compared, saved and run again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

DECAYS = ("all", "weights")
STARTS = ("as given", "zeros", "torch")
PACES = ("epoch", "step")

OptimizerLike = (
    str | type[torch.optim.Optimizer] | torch.optim.Optimizer | Callable[[Iterable[Any]], torch.optim.Optimizer]
)
Schedule = str | type | tuple[Any, Mapping[str, Any]] | Callable[[torch.optim.Optimizer], Any]


def _name(value: Any) -> str:
    kind = value if callable(value) else type(value)
    return str(getattr(kind, "__name__", type(value).__name__))


def _same(value: Any, usual: Any) -> bool:
    return value is usual or (not isinstance(value, Mapping) and bool(value == usual))


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and any(isinstance(v, Tensor) for v in value.values()):
        return "{...}"
    return repr(value) if isinstance(value, str | int | float | Mapping | tuple) else _name(value)


@dataclass(frozen=True, init=False, repr=False)
class Recipe:
    """How to train: optimizer, learning rate, batches, epochs.

    optimizer : name ('sgd', 'vanilla', 'adam', 'adamw', 'rmsprop', 'adagrad', 'lbfgs', ... any of ``torch.optim``), or
        a class.  'vanilla' is the loop by hand: ``params -= lr * grad`` in ``no_grad``.  Also a function of the
        parameters that makes an optimizer, or one that was made already over the module's own parameters: it brings its
        learning rate and weight decay, and is used up by one training.
    lr : learning rate; None for the optimizer's own default.
    weight_decay : the optimizer's; None for its own default (0 but for AdamW's 0.01).  A mapping from the last part of
        parameter names, {'weight': 0.1, 'bias': 0.0}, gives each its own; those not named have none.
    decay : 'all' parameters decay, or only the 'weights': those of two and more dimensions, as ``nn.Linear.weight``.
    batch_size : rows of a step, the last batch of an epoch may be smaller; None for all rows.  A ``DataLoader`` brings
        its own.
    epochs : passes over the rows.
    shuffle : a new order in each epoch; with ``seed`` that of a ``DataLoader`` with
        ``generator=torch.Generator().manual_seed(seed)``, without it that of a ``DataLoader`` without a generator.
    schedule : of the learning rate: name or class of ``torch.optim.lr_scheduler``, with its arguments as
        ('StepLR', {'step_size': 30}), or a function of the optimizer that makes one.  ``schedule_per`` 'epoch' or
        'step'.
    start : 'as given' (the module's weights), 'zeros', 'torch' (each layer's ``reset_parameters`` with ``seed``), or a
        state dict.
    closure : whether ``step`` is given a closure; None for what its signature asks (L-BFGS needs one).
    subject_to : constraints on rates, such as ``[sl.recall() >= 0.9]``, kept by multipliers; ``train`` then gives a
        ``ConstrainedTraining``.  constraint_method : 'lagrangian' or 'augmented'.  constraint_rate : step of the
        multipliers, once an epoch.  See ``sightline.recipes.constrained``.
    arguments : every other keyword, passed on to the optimizer: momentum, nesterov, betas, ...
    """

    optimizer: OptimizerLike
    lr: float | None
    weight_decay: float | Mapping[str, float] | None
    decay: str
    batch_size: int | None
    epochs: int
    shuffle: bool
    seed: int | None
    schedule: Schedule | None
    schedule_per: str
    start: str | Mapping[str, Tensor]
    closure: bool | None
    subject_to: Any
    constraint_method: str
    constraint_rate: float
    arguments: dict[str, Any]

    def __init__(
        self,
        optimizer: OptimizerLike = "sgd",
        *,
        lr: float | None = None,
        weight_decay: float | Mapping[str, float] | None = None,
        decay: str = "all",
        batch_size: int | None = None,
        epochs: int = 100,
        shuffle: bool = False,
        seed: int | None = None,
        schedule: Schedule | None = None,
        schedule_per: str = "epoch",
        start: str | Mapping[str, Tensor] = "as given",
        closure: bool | None = None,
        subject_to: Any = None,
        constraint_method: str = "augmented",
        constraint_rate: float = 1.0,
        **arguments: Any,
    ) -> None:
        values = {
            "optimizer": optimizer, "lr": lr, "weight_decay": weight_decay, "decay": decay, "batch_size": batch_size,
            "epochs": epochs, "shuffle": shuffle, "seed": seed, "schedule": schedule, "schedule_per": schedule_per,
            "start": start, "closure": closure,
            "subject_to": subject_to, "constraint_method": constraint_method, "constraint_rate": constraint_rate,
            "arguments": arguments,
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        """Only what is not as usual."""
        name = self.optimizer if isinstance(self.optimizer, str) else _name(self.optimizer)
        usual = vars(Recipe())
        words = [
            f"{key}={_short(value)}" for key, value in vars(self).items()
            if key not in ("optimizer", "arguments") and (key == "epochs" or not _same(value, usual[key]))
        ]  # fmt: skip
        return f"Recipe({', '.join([repr(name), *words, *(f'{k}={v!r}' for k, v in self.arguments.items())])})"

    def but(self, **changes: Any) -> Recipe:
        """The same recipe with some settings changed: ``recipe.but(lr=0.01)``."""
        settings = {k: v for k, v in vars(self).items() if k != "arguments"}
        return Recipe(**{**settings, **self.arguments, **changes})

