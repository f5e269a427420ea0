"""Trainings for the tests of the compiled engine: every optimizer and every loss that it knows."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.recipes import Recipe, Training, train
from sightline.recipes.compiled import engine, library

OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("sgd", {"lr": 0.05}),
    "sgd, momentum": ("sgd", {"lr": 0.02, "momentum": 0.9}),
    "sgd, dampening": ("sgd", {"lr": 0.05, "momentum": 0.5, "dampening": 0.3, "weight_decay": 0.02}),
    "sgd, nesterov": ("sgd", {"lr": 0.02, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    "sgd, maximize": ("sgd", {"lr": 0.001, "maximize": True}),
    "vanilla": ("vanilla", {"lr": 0.05, "weight_decay": 0.01}),
    "adam": ("adam", {"lr": 0.02}),
    "adam, amsgrad": ("adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.01}),
    "adam, small beta": ("adam", {"lr": 0.02, "betas": (0.4, 0.999), "maximize": False}),
    "adamw": ("adamw", {"lr": 0.02, "weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {"lr": 0.005, "weight_decay": 0.01}),
    "rmsprop, centered": ("rmsprop", {"lr": 0.005, "centered": True, "momentum": 0.8}),
    "adagrad": ("adagrad", {"lr": 0.1, "lr_decay": 0.01}),
    "adagrad, started": ("adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.01}),
}


@dataclass(frozen=True)
class LossCase:
    """A loss as a function of the dtype, the kind of its targets, and what the module ends with."""

    make: Callable[[torch.dtype], Any]
    targets: str
    end: nn.Module | None = None


def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A fixture: nothing is written into the user's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(tmp_path_factory.mktemp("cache")))
        library.forget()
        yield
    library.forget()


def whatever_the_length() -> Iterator[None]:
    """A fixture: trainings are compiled however short they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "COMPILING", -math.inf)
        patch.setattr(engine, "FEWEST", 0)
        patch.setattr(engine, "FEWEST_COLD", 0)
        patch.setattr(engine, "SLOWER", math.inf)  # no clock decides
        yield


def hinge(z: Tensor, y: Tensor) -> Tensor:
    return (1 - y * z).clamp(min=0).mean()


def weighted_bce(dtype: torch.dtype) -> nn.Module:
    return nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0], dtype=dtype))


LOSSES: dict[str, LossCase] = {
    "MSELoss": LossCase(lambda d: nn.MSELoss(), "real"),
    "MSELoss, sum": LossCase(lambda d: nn.MSELoss(reduction="sum"), "small"),
    "squared": LossCase(lambda d: "squared", "real"),
    "L1Loss": LossCase(lambda d: nn.L1Loss(), "real"),
    "HuberLoss": LossCase(lambda d: nn.HuberLoss(delta=0.7), "real"),
    "SmoothL1Loss": LossCase(lambda d: nn.SmoothL1Loss(beta=0.4), "real"),
    "smooth_l1_loss": LossCase(lambda d: partial(F.smooth_l1_loss, beta=2.0), "real"),
    "BCEWithLogitsLoss": LossCase(lambda d: nn.BCEWithLogitsLoss(), "zero and one"),
    "BCEWithLogitsLoss, weighted": LossCase(weighted_bce, "zero and one"),
    "logistic": LossCase(lambda d: "logistic", "zero and one"),
    "Sigmoid, BCELoss": LossCase(lambda d: nn.BCELoss(), "zero and one", nn.Sigmoid()),
    "SoftMarginLoss": LossCase(lambda d: nn.SoftMarginLoss(), "signs"),
    "hinge": LossCase(lambda d: "hinge", "zero and one"),
    "hinge, clamped": LossCase(lambda d: hinge, "signs"),
    "squared_hinge": LossCase(lambda d: "squared_hinge", "signs"),
    "PoissonNLLLoss": LossCase(lambda d: nn.PoissonNLLLoss(), "counts"),
    "PoissonNLLLoss, full": LossCase(lambda d: nn.PoissonNLLLoss(full=True), "counts"),
    "CrossEntropyLoss": LossCase(lambda d: nn.CrossEntropyLoss(), "classes"),
    "LogSoftmax, NLLLoss": LossCase(lambda d: nn.NLLLoss(), "classes", nn.LogSoftmax(dim=1)),
    "MultiMarginLoss": LossCase(lambda d: nn.MultiMarginLoss(), "classes"),
}  # fmt: skip


def rows(targets: str, n: int, p: int, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows that a linear model explains in part."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64)

    X, w, noise = normal(n, p), normal(p, 3), normal(n, 3)
    if targets == "counts":  # the exponential of large scores would make any of these trainings diverge
        X = 0.3 * X
    z = 1.5 * X @ w / p**0.5 + 0.5 * noise
    one = z[:, :1]
    y = {
        "real": lambda: one,
        "small": lambda: 0.1 * one,
        "zero and one": lambda: 1.0 * (one > 0),
        "signs": lambda: torch.where(one > 0, 1.0, -1.0).double(),
        "counts": lambda: torch.poisson((one / 2).exp(), generator=draw),
        "classes": lambda: z.argmax(1),
    }[targets]()
    return X.to(dtype), y if targets == "classes" else y.to(dtype)


def module_for(case: LossCase, p: int, dtype: torch.dtype, bias: bool, seed: int = 0) -> nn.Module:
    """A linear module for a loss; the same weights for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        linear = nn.Linear(p, 3 if case.targets == "classes" else 1, bias=bias, dtype=dtype)
    return linear if case.end is None else nn.Sequential(linear, case.end)


def both(module: nn.Module, data: Any, loss: Any, recipe: Recipe, **options: Any) -> tuple[Training, Training]:
    """The same training by the exact engine and by the compiled one."""
    exact = train(copy.deepcopy(module), data, loss, recipe, certify=False, **options)
    compiled = train(copy.deepcopy(module), data, loss, recipe, certify=False, engine="compiled", **options)
    return exact, compiled


def distance(one: Training, other: Training) -> float:
    """The largest difference of the weights over all recorded steps, relative to the weights' size at that step."""
    assert one.trace.step == other.trace.step
    worst = 0.0
    for a, b in zip(one.trace.states, other.trace.states):
        have, want = (torch.cat([t.double().flatten() for t in state]) for state in (b, a))
        worst = max(worst, float((have - want).abs().max() / want.abs().max()))
    return worst


def rounding(module: nn.Module, data: tuple[Tensor, Tensor], loss: Any, recipe: Recipe, exact: Training) -> float:
    """How far rounding alone carries the exact engine: its distance from itself with the columns in another order."""
    X, y = data
    turned = copy.deepcopy(module)
    with torch.no_grad():
        for weight in turned.parameters():
            if weight.ndim == 2:
                weight.copy_(weight.flip(1))
    other = train(turned, (X.flip(1), y), loss, recipe, certify=False, warn=False)
    other.trace.states = [tuple(t.flip(1) if t.ndim == 2 else t for t in state) for state in other.trace.states]
    return distance(exact, other)
