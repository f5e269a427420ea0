"""The perceptron, with what is known of it: how many mistakes it can make, or that it never ends."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.certificate import Certificate, Verdict, Witness
from sightline.data import DataError
from sightline.estimators import _inputs
from sightline.estimators._base import (
    Classifier,
    ConvergenceWarning,
    _as_array,
    _like,
    class_factors,
    is_bool,
    is_count,
    is_none,
    is_positive,
)
from sightline.exact import Floats
from sightline.max_margin import maximum_margin
from sightline.overlap import OverlapError
from sightline.solvers.hulls import Indices

LEAST_BLOCK = 16  # rows looked at together after a mistake


class Perceptron(Classifier):
    """Rosenblatt's perceptron: rows in turn, and for each that is on the wrong side w += eta0 t x, b += eta0 t.

    If a hyperplane separates the classes it ends, after at most R²/γ² mistakes whatever the order of the rows: R is the
    length of the longest row (x, 1), γ the maximum margin of these rows through the origin (Novikoff 1962).  If none
    does, it never ends: the weights stay bounded and come back again and again near where they were (Block & Levin
    1970).  ``certificate_`` says which.  With more than two classes each is told from the rest.

    Parameters
    ----------
    fit_intercept : whether b may differ from zero.
    max_iter : most passes over the rows.
    tol : None, so that only a pass without a mistake ends it before; or stop, as scikit-learn does by default, once in
        ``n_iter_no_change`` passes running the losses max(0, -t z) of the rows when visited, added up, have not fallen
        below the least pass by ``tol`` a row.
    shuffle : a new order of the rows in each pass.  random_state : of that order.
    eta0 : length of a step; from zero weights it scales the weights, and changes no decision.
    warm_start : begin from the weights of the last fit; the bound is for a start from zero.
    class_weight : {label: weight}, 'balanced' for n / (K · count), or None: a mistake on a row of the class is a step
        of that length.  With more than two classes the weight of a class counts in its own problem and the rest has
        weight 1 there, as in scikit-learn.
    averaged : deliver the mean of the weights over all rows visited, which is better on new rows where the classes
        overlap (Freund & Schapire 1999); the mistakes are the same.

    Attributes
    ----------
    classes_ : (K,) the labels, sorted.
    coef_, intercept_ : (1, p) and (1,) for two classes, (K, p) and (K,) for more; in the dtype of X, in its kind.
    mistakes_ : steps taken in this fit.  mistake_bound_ : R²/γ², times the largest class weight over the least; inf
        where no hyperplane separates the classes.
        radius_, margin_ : R and γ (0 where there is none).  Numbers for two classes, (K,) for more.
    separable_ : whether a hyperplane separates the classes (each from the rest), proven.
    n_iter_ : passes over the rows, the most of a class.
    certificate_ : of the mean of max(0, -t (x·w + b)), whose least is zero: OPTIMAL where no row is on the wrong side,
        INFEASIBLE where no weights can have that, with the reason; INACCURATE where more passes are needed.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: F. Rosenblatt, "The perceptron", Psychological Review 65 (1958); A. Novikoff, "On convergence proofs on
    perceptrons" (1962).
    """

    _quick = {
        "fit_intercept": is_bool,
        "max_iter": is_count,
        "shuffle": is_bool,
        "random_state": is_none,
        "eta0": is_positive,
        "warm_start": is_bool,
        "averaged": is_bool,
        "tol": is_none,
        "n_iter_no_change": is_count,
        "class_weight": is_none,
    }
    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "warm_start": ["boolean"],
        "averaged": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [None, dict, StrOptions({"balanced"})],
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        shuffle: bool = True,
        random_state: Any = None,
        eta0: float = 1.0,
        warm_start: bool = False,
        averaged: bool = False,
        tol: float | None = None,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.eta0 = eta0
        self.warm_start = warm_start
        self.averaged = averaged
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> Perceptron:
        """Run until a pass makes no mistake, ``max_iter`` passes are over, or ``tol`` stops it.

        There is no ``sample_weight``: a row of weight two is not two rows here, as the second would be looked at with
        the weights that the first has moved.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) labels: numbers, text or booleans.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        self.classes_, codes = _inputs.class_target(y, X)
        design, codes, _, _ = _inputs.gather(self, X, codes)
        rows, coded = design.to_dense().cpu().numpy(), codes.cpu().numpy()
        if self.fit_intercept:
            rows = np.hstack([rows, np.ones((len(rows), 1))])
        labels = self.classes_.tolist()
        binary = len(labels) == 2
        factors = class_factors(self.class_weight, self.classes_, codes, None)
        lengths = np.ones(len(labels)) if factors is None else factors.numpy()
        if not (lengths > 0).all():
            raise DataError(
                "class_weight is zero for a class, whose mistakes would never be mended; leave its rows out."
            )
        stop = Stop(int(self.max_iter), None if self.tol is None else float(self.tol), int(self.n_iter_no_change))
        rng = check_random_state(self.random_state)
        begin = self._begin(1 if binary else len(labels), rows.shape[1])
        runs, facts = [], []
        for place, k in enumerate([1] if binary else range(len(labels))):
            t = np.where(coded == k, 1.0, -1.0)
            names = (labels[0], labels[1]) if binary else (f"not {labels[k]}", labels[k])
            orders = rng if self.shuffle else None
            rest = lengths[0] if binary else 1.0
            steps = float(self.eta0) * np.where(coded == k, lengths[k], rest)
            runs.append(train(rows, t, begin[place], steps, stop, orders))
            uneven = max(lengths[k] / rest, rest / lengths[k])
            facts.append(known(rows, t, names, bool(self.fit_intercept), uneven))
        self._keep(runs, facts, X, rows, coded)
        return self

    def _begin(self, count: int, width: int) -> Floats:
        begin = np.zeros((count, width))
        if self.warm_start and "coef_" in self.__dict__ and tuple(self.coef_.shape) == (count, self.n_features_in_):
            begin[:, : self.n_features_in_] = _as_array(self.coef_)
            if self.fit_intercept:
                begin[:, -1] = _as_array(self.intercept_)
        return begin

    def _keep(self, runs: list[Run], facts: list[Known], X: Any, rows: Floats, coded: Indices) -> None:
        weights = np.array([run.mean if self.averaged else run.weights for run in runs])
        p = self.n_features_in_
        dtype = X.dtype if isinstance(X, Tensor) else torch.from_numpy(np.zeros(0, dtype=X.dtype)).dtype
        self.coef_ = _like(torch.from_numpy(weights[:, :p].copy()).to(dtype), X)
        bias = weights[:, p] if self.fit_intercept else np.zeros(len(weights))
        self.intercept_ = _like(torch.from_numpy(bias.copy()).to(dtype), X)
        one = len(runs) == 1
        self.mistakes_ = runs[0].mistakes if one else np.array([run.mistakes for run in runs])
        self.mistake_bound_ = facts[0].bound if one else np.array([f.bound for f in facts])
        self.radius_ = facts[0].radius if one else np.array([f.radius for f in facts])
        self.margin_ = facts[0].margin if one else np.array([f.margin for f in facts])
        self.separable_ = all(f.margin > 0 for f in facts)
        self.n_iter_ = max(run.passes for run in runs)
        loss = 0.0
        for place, run in enumerate(runs):
            t = np.where(coded == (1 if one else place), 1.0, -1.0)
            loss += float(np.maximum(-t * (rows @ run.weights), 0.0).mean())
        overlaps = [f.overlap for f in facts if f.overlap]
        verified = next((f.verified for f in facts if f.overlap), None)
        ended = all(run.ended for run in runs)
        verdict = Verdict.OPTIMAL if ended else Verdict.INFEASIBLE if overlaps else Verdict.INACCURATE
        witness = Witness("overlap", overlaps[0], verified=verified) if overlaps else None
        self.certificate_ = Certificate(verdict, loss, loss, max(loss, 1.0), 0.0, "a sum of losses >= 0", None, witness)
        if overlaps:
            text = (
                "INFEASIBLE: the perceptron never ends here; it goes round for ever, and was stopped after"
                f" {self.n_iter_} passes and {sum(run.mistakes for run in runs)} mistakes. {overlaps[0]}"
                " averaged=True delivers weights that hardly depend on when it was stopped."
            )
            warnings.warn(text, ConvergenceWarning, stacklevel=3)
        elif not ended:
            bound = max(f.bound for f in facts)
            text = (
                f"INACCURATE: stopped after {self.n_iter_} passes with rows on the wrong side. The classes are"
                f" separable (margin {min(f.margin for f in facts):.3g}): it will end, after at most {bound:.3g}"
                " mistakes."
                + (" Raise max_iter" if self.n_iter_ >= self.max_iter else " Leave tol out")
                + ", standardise the columns, or use MaxMarginClassifier."
            )
            warnings.warn(text, ConvergenceWarning, stacklevel=3)


@dataclass(frozen=True)
class Stop:
    """When a run ends with mistakes left: passes at most, and passes running whose losses do not fall by ``tol`` a
    row."""

    passes: int
    tol: float | None
    patience: int


@dataclass(frozen=True)
class Run:
    """What a run gave: last weights and their mean over the rows visited, (p,); steps and passes; whether the last
    pass made no mistake."""

    weights: Floats
    mean: Floats
    mistakes: int
    passes: int
    ended: bool


@dataclass(frozen=True)
class Known:
    """What is known before the run: length of the longest row, maximum margin through the origin (0 where there is
    none), the bound on the mistakes, and why there is no margin, with how that was verified."""

    radius: float
    margin: float
    bound: float
    overlap: str
    verified: str


def known(rows: Floats, t: Floats, names: tuple[Any, Any], augmented: bool, uneven: float = 1.0) -> Known:
    """R, γ and the most mistakes of rows (n, q), which have a column of ones at the end if ``augmented``.

    uneven : c, the longest step over the shortest.  Steps of lengths sᵢ bring w·w* up by sᵢ γ and ‖w‖² by at most
    sᵢ² R², so that (Σ s γ)² <= Σ s² R² <= max s Σ s R², and there are at most c R²/γ² of them.
    """
    radius = float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max()))
    try:
        # With a column of ones the margin through the origin is above zero exactly where a hyperplane separates.
        if augmented:
            maximum_margin(rows[:, :-1], t, classes=names)
        found = maximum_margin(rows, t, intercept=False, classes=names)
    except OverlapError as error:
        return Known(radius, 0.0, math.inf, error.overlap.text(names), error.overlap.verified)
    return Known(radius, found.margin, 2 * found.certificate.value * radius**2 * uneven, "", "")


def train(
    rows: Floats, t: Floats, weights: Floats, steps: Floats, stop: Stop, orders: np.random.RandomState | None
) -> Run:
    """Passes over the rows (n, q), in file order or in new orders, until one makes no mistake; ``steps`` (n,): the
    length of the step at a mistake on each row."""
    n = len(rows)
    w, late = weights.copy(), np.zeros_like(weights)  # late: Σ (rows visited before a step) · step
    mistakes = visited = 0
    passes, ended = 0, False
    least, idle = math.inf, 0
    while passes < stop.passes and not ended and idle < stop.patience:
        passes += 1
        losses = 0.0
        order = np.arange(n) if orders is None else orders.permutation(n)
        before = mistakes
        place, size = 0, LEAST_BLOCK
        while place < n:
            block = order[place : place + size]
            right = t[block] * (rows[block] @ w)
            wrong = right <= 0
            first = int(wrong.argmax())
            if not wrong[first]:
                place, size = place + len(block), 2 * size
                continue
            i = block[first]
            losses -= float(right[first])
            step = steps[i] * t[i] * rows[i]
            w = w + step
            late += (visited + place + first) * step
            mistakes += 1
            place, size = place + first + 1, max(LEAST_BLOCK, first)
        visited += n
        ended = mistakes == before
        if stop.tol is not None:
            idle = idle + 1 if losses > least - stop.tol * n else 0
            least = min(least, losses)
    return Run(w, w - late / visited, mistakes, passes, ended)
