"""The problems: frozen descriptions, generators with fixed seeds, and the instances they make.

Every feature value can be held in float32 (except in *iris*, which is real data), so the float32 and the float64 peers
solve exactly the same problem and are judged by the same objective.

The objective is always in mean form, ``mean loss + l2/2 |w|^2 + l1 |w|_1``; the intercept, if any, is not penalised.
With scikit-learn's ``C`` this is ``l1 or l2 = 1 / (C n)``, with ridge's ``alpha = 1/C``, with lasso's ``alpha = l1``.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from bench import generate

CACHE = Path(os.environ.get("BENCH_CACHE") or Path(__file__).parent / ".cache")
"""Data, reference optima and the settings found for the peers; ignored by git and safe to delete."""

LossName = Literal["logistic", "softmax", "squared", "hinge", "squared_hinge"]
PenaltyName = Literal["none", "l1", "l2"]
Matrix = Any  # an ndarray or a scipy.sparse CSR matrix
Generator = Callable[[int, int, np.random.Generator], tuple[Matrix, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """One problem, described: what to generate and what to minimise on it."""

    name: str
    n: int
    p: int
    loss: LossName
    penalty: PenaltyName
    make: Generator
    C: float | None = None
    over_critical: float | None = None
    """The strength as so many times the smallest C with a nonzero solution (L1 only)."""
    seed: int = 0
    intercept: bool = False
    scaled: Literal["larger", "both", "never"] = "larger"
    """What ``--scale`` shrinks: the larger of n and p, both, or nothing (real data)."""

    def at_scale(self, scale: float, intercept: bool = False) -> Problem:
        """The same problem, smaller."""
        n, p = self.n, self.p
        if self.scaled == "both" or (self.scaled == "larger" and n >= p):
            n = max(200, round(n * scale))
        if self.scaled == "both" or (self.scaled == "larger" and p > self.n):
            p = max(200, round(p * scale))
        return replace(self, n=n, p=p, intercept=intercept)

    @property
    def data_key(self) -> str:
        """Names the data on disk: two problems that differ in their loss only may share them."""
        what = [self.make.__name__, inspect.getsource(self.make), self.n, self.p, self.seed]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]

    @property
    def key(self) -> str:
        """Names everything that determines the optimum."""
        what = [self.data_key, self.loss, self.penalty, self.C, self.over_critical, self.intercept]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Instance:
    """A problem with its data in float64 and its strengths in mean form."""

    problem: Problem
    X: Matrix = field(repr=False)
    y: np.ndarray = field(repr=False)
    """0 or 1, class numbers from 0, or real targets; -1 or 1 for the margin losses."""
    l1: float
    l2: float

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.X.shape[0])

    @property
    def p(self) -> int:
        """Columns."""
        return int(self.X.shape[1])

    @property
    def classes(self) -> int:
        """Columns of scores: the number of classes for softmax, otherwise 1."""
        return int(self.y.max()) + 1 if self.problem.loss == "softmax" else 1

    @property
    def C(self) -> float:
        """scikit-learn's C, infinite without a penalty."""
        strength = max(self.l1, self.l2)
        return 1.0 / (self.n * strength) if strength else float("inf")

    @property
    def sparse(self) -> bool:
        """Whether X is sparse."""
        return sp.issparse(self.X)

    @property
    def data_bytes(self) -> int:
        """Size of X."""
        return (
            int(sum(a.nbytes for a in (self.X.data, self.X.indices, self.X.indptr))) if self.sparse else self.X.nbytes
        )


def load(problem: Problem) -> Instance:
    """The problem's instance; its data are generated once and kept under `CACHE`."""
    folder = CACHE / "data"
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / problem.data_key
    dense, sparse, target = (stem.with_suffix(s) for s in (".X.npy", ".X.npz", ".y.npy"))
    if not target.exists():
        X, y = problem.make(problem.n, problem.p, np.random.default_rng(problem.seed))
        if sp.issparse(X):
            sp.save_npz(sparse, X, compressed=False)
        else:
            np.save(dense, X)
        np.save(target, y)
    X = sp.load_npz(sparse) if sparse.exists() else np.load(dense)
    X = sp.csr_matrix(X, dtype=np.float64) if sp.issparse(X) else X.astype(np.float64, order="C", copy=False)
    y = np.load(target)
    if problem.loss in ("hinge", "squared_hinge"):
        y = np.where(y > 0, 1.0, -1.0)
    strength = _strength(problem, X, y)
    return Instance(problem, X, y, *((strength, 0.0) if problem.penalty == "l1" else (0.0, strength)))


def _strength(problem: Problem, X: Matrix, y: np.ndarray) -> float:
    """The penalty's factor in mean form."""
    if problem.penalty == "none":
        return 0.0
    if problem.C is not None:
        return 1.0 / (problem.C * X.shape[0])
    assert problem.over_critical is not None
    residual = y - (0.5 if problem.loss == "logistic" else 0.0)
    if problem.intercept:
        residual = residual - residual.mean()
    return float(np.abs(X.T @ residual).max() / X.shape[0] / problem.over_critical)


_G = generate
PROBLEMS: dict[str, Problem] = {
    problem.name: problem
    for problem in (
        Problem("tall", 1_000_000, 20, "logistic", "l2", _G.binary, C=1.0),
        Problem("mid", 100_000, 200, "logistic", "l2", _G.binary, C=1.0),
        Problem("bad", 100_000, 200, "logistic", "l2", _G.binary_badly_scaled, C=1.0),
        Problem("wide_l1", 500, 20_000, "logistic", "l1", _G.binary_wide, over_critical=10.0),
        Problem("wide_l2", 500, 20_000, "logistic", "l2", _G.binary_wide, C=0.01),
        Problem("sparse", 100_000, 50_000, "logistic", "l2", _G.text, C=1.0, scaled="both"),
        Problem("digits", 1_797, 64, "softmax", "l2", _G.digits, C=1.0, scaled="never"),
        Problem("multi", 60_000, 784, "softmax", "l2", _G.images, C=1.0),
        Problem("least_squares", 200_000, 100, "squared", "none", _G.regression),
        Problem("ridge", 200_000, 100, "squared", "l2", _G.regression, C=1.0),
        Problem("lasso", 200_000, 100, "squared", "l1", _G.regression, over_critical=100.0),
        Problem("hinge", 100_000, 100, "hinge", "l2", _G.noisy_labels, C=0.1),
        Problem("squared_hinge", 100_000, 100, "squared_hinge", "l2", _G.noisy_labels, C=0.1),
        Problem("iris", 100, 4, "logistic", "l2", _G.iris, C=1e5, scaled="never"),
    )
}
