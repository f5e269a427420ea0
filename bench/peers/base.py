"""What a contender is: one solver at one precision, with a ladder of settings from loose to tight."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from bench.problems import Instance, Problem

Setting = Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """The data in the form a contender wants them, made before the clock starts."""

    instance: Instance = field(repr=False)
    X: Any
    y: Any

    def head(self, rows: int) -> Inputs:
        """The first rows in the same form, for the priming fit."""
        X = self.X[:rows]
        if isinstance(X, np.ndarray):
            X = np.asfortranarray(X) if self.X.flags.f_contiguous and not self.X.flags.c_contiguous else X.copy()
        return Inputs(self.instance, X, self.y[:rows])


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves: weights in scikit-learn's shapes, and what the solver says about them."""

    coef: Any
    intercept: Any = 0.0
    says: dict[str, Any] = field(default_factory=dict)


Fit = Callable[[Inputs, Setting], Fitted]


@dataclass(frozen=True)
class Contender:
    """A solver in the race."""

    package: str
    """The name that ``--peers`` takes and whose module must import."""
    solver: str
    dtype: Literal["float64", "float32"]
    ladder: tuple[Setting, ...] = field(repr=False)
    solves: Callable[[Problem], bool] = field(repr=False)
    fit: Fit = field(repr=False)
    order: Literal["C", "F"] = "C"
    """Memory layout the solver would otherwise make itself."""
    tensors: bool = False
    signs: bool = False
    """Wants labels of -1 and 1."""

    @property
    def name(self) -> str:
        """Unique in the registry."""
        return f"{self.package} {self.solver} {'f32' if self.dtype == 'float32' else 'f64'}"

    def inputs(self, instance: Instance) -> Inputs:
        """The data as this contender takes them; not timed."""
        X: Any = instance.X
        if instance.sparse:
            X = sp.csr_matrix(X, dtype=self.dtype) if self.order == "C" else sp.csc_matrix(X, dtype=self.dtype)
        else:
            X = np.asarray(X, dtype=self.dtype, order=self.order)
        y = instance.y
        if self.signs and instance.problem.loss == "logistic":
            y = np.where(y > 0, 1, -1)
        if instance.problem.loss == "squared":
            y = y.astype(self.dtype)
        if self.tensors:
            import torch

            integers = instance.problem.loss == "softmax"
            y = torch.from_numpy(y) if integers else torch.from_numpy(y.astype(self.dtype))
            return Inputs(replace(instance, X=X), torch.from_numpy(X), y)
        return Inputs(replace(instance, X=X), X, y)


def threads() -> int:
    """The thread count this process was started with."""
    return int(os.environ.get("BENCH_THREADS", "1"))


def tolerances(first: float, last: float, **rest: Any) -> tuple[Setting, ...]:
    """Settings with ``tol`` from first down to last by factors of about 3."""
    count = round(2 * np.log10(first / last)) + 1
    return tuple({"tol": float(f"{t:.1e}"), **rest} for t in np.geomspace(first, last, count))


def iterations(first: int, last: int, **rest: Any) -> tuple[Setting, ...]:
    """Settings with ``max_iter`` from first up to last by factors of about the square root of 2."""
    count = round(2 * np.log2(last / first)) + 1
    return tuple({"max_iter": n, **rest} for n in sorted({round(n) for n in np.geomspace(first, last, count)}))


def on(*losses: str, penalties: tuple[str, ...] = ("none", "l1", "l2"), sparse: bool = True, intercept: bool = True):  # type: ignore[no-untyped-def]
    """A ``solves`` that asks for these losses and penalties, and for dense data or no intercept where said."""

    def solves(problem: Problem) -> bool:
        fits = problem.loss in losses and problem.penalty in penalties
        return fits and (sparse or problem.name != "sparse") and (intercept or not problem.intercept)

    return solves
