"""Least squares, plain and with an L2 penalty: LinearRegression and Ridge."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import MultiOutputMixin
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.data import Data, DataError
from sightline.design_matrix import Design, as_design
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import (
    ConvergenceWarning,
    Regressor,
    is_bool,
    is_none,
    is_positive,
    is_word,
    joined,
    solver_names,
)
from sightline.losses import Squared
from sightline.objective import Objective
from sightline.penalties import Penalty
from sightline.result import Result

SINGULAR_WORK = 20_000_000  # rows · columns · the fewer of them up to which singular values are computed in ``fit``


class LeastSquares(MultiOutputMixin, Regressor):
    """Base of the four: mean ½ (x·w + b - y)² + penalty, for one target or several."""

    fit_intercept: bool

    def _rows(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Data, bool]:
        """X as read, the checked rows, and whether y came as a vector."""
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        target = _inputs.numeric_target(y, X.shape[0], many=True)
        design, target, weight, _ = _inputs.gather(self, X, target, sample_weight)
        return X, Data(design, target, weight, None, None, _inputs.column_names(self)), target.ndim == 1

    def _solved(self, data: Data, penalties: list[Penalty]) -> list[Result]:
        """One result for all targets where one problem says it all, else one for each target."""
        intercept = bool(self.fit_intercept)
        if data.y.ndim == 1 or (len(penalties) == 1 and penalties[0].smooth):
            if data.y.ndim == 2 and data.y.shape[1] == 1:
                data = replace(data, y=data.y[:, 0])
            return [self._optimum(Objective(data, Squared(), penalties[0], intercept), self._start(data.outputs))]
        results = []
        for k in range(data.y.shape[1]):
            one = replace(data, y=data.y[:, k].contiguous())
            results.append(self._optimum(Objective(one, Squared(), penalties[k % len(penalties)], intercept)))
        return results


class LinearRegression(LeastSquares):
    """Ordinary least squares; a drop-in for ``sklearn.linear_model.LinearRegression``.

    Minimises  Σ s_i (x_i·w + b - y_i)², with w >= 0 where ``positive``.  ``certificate_`` speaks of half its weighted
    mean.  Where the columns are dependent the smallest of all solutions is taken (verdict NOT_UNIQUE).

    Parameters
    ----------
    fit_intercept : whether b may differ from zero.
    tol : proven relative gap between the objective and its optimum.
    positive : constrain the coefficients to be >= 0.
    copy_X, n_jobs : accepted, without effect; X is never written to.

    Attributes
    ----------
    coef_ : (p,), or (K, p) for a 2-D y of K targets; in the dtype of X (float32 or float64), on its device.
    intercept_ : number, or (K,).
    rank_, singular_ : rank and singular values of X, centred where there is an intercept and weighted; for dense X
        without ``positive`` only.  For large X they are computed when first asked for, while X still exists.
    n_iter_ : steps taken.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: Å. Björck, *Numerical Methods for Least Squares Problems* (SIAM 1996).
    """

    _quick = {"fit_intercept": is_bool, "copy_X": is_bool, "tol": is_positive, "n_jobs": is_none, "positive": is_bool}
    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "n_jobs": [None, Integral],
        "positive": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.tol = tol
        self.n_jobs = n_jobs
        self.positive = positive

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) or (n, K) numbers.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        X, data, flat = self._rows(X, y, sample_weight)
        result = joined(self._solved(data, [Penalty(positive=bool(self.positive))]))
        self._deliver(result, X, flat=flat)
        self.n_iter_ = max(result.n_iter, 1)
        for name in ("_singular", "_rows_of"):
            self.__dict__.pop(name, None)
        if not (data.design.sparse or self.positive):
            n, p = data.design.n, data.design.p
            if n * p * min(n, p) <= SINGULAR_WORK:
                self._singular = singular_values(data.design, data.weight, bool(self.fit_intercept))
            else:
                self._rows_of = (weakref.ref(X), data.weight)
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    @property
    def singular_(self) -> Any:
        """Singular values of the (centred, weighted) X, largest first, (min(n, p),)."""
        state = self.__dict__
        if "_singular" not in state:
            known = state.get("_rows_of") or (lambda: None, None)
            X = known[0]()
            if X is None:
                raise AttributeError(
                    f"{type(self).__name__!r} object has no attribute 'singular_': it is for dense X without positive,"
                    " and for a large X it must be asked for while X still exists"
                )
            design = as_design(X)
            if known[1] is not None and len(known[1]) != design.n:
                raise AttributeError("'singular_' of a large X is not available where rows have the weight zero")
            self._singular = singular_values(design, known[1], bool(self.fit_intercept))
        values = self._singular
        dtype = self.result_.weight.dtype
        return values.to(dtype) if isinstance(self.coef_, Tensor) else values.to(dtype).cpu().numpy()

    @property
    def rank_(self) -> int:
        """Rank of the (centred, weighted) X: singular values above the rounding of the data."""
        values = self.singular_
        eps = torch.finfo(self.result_.weight.dtype).eps
        limit = 4 * eps * min(self.result_.rows, self.n_features_in_) * float(values[0])
        return int((values > limit).sum())

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        state.pop("_rows_of", None)
        return state


def singular_values(design: Design, weight: Tensor | None, centred: bool) -> Tensor:
    """Singular values of the rows times the roots of their weights, about the weighted mean where ``centred``."""
    X = design.to_dense()
    if centred:
        X = X - (X.mean(0) if weight is None else (weight @ X) / weight.sum())
    if weight is not None:
        X = X * weight.sqrt()[:, None]
    if X.shape[0] > 2 * X.shape[1]:
        X = torch.linalg.qr(X, mode="r").R
    return torch.linalg.svdvals(X)


_RIDGE = ("svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs")


class Ridge(LeastSquares):
    """Least squares with an L2 penalty; a drop-in for ``sklearn.linear_model.Ridge``.

    Minimises  Σ s_i (x_i·w + b - y_i)² + alpha ‖w‖²; b is never penalised.  ``certificate_`` speaks of the same
    divided by 2 Σ s.

    Parameters
    ----------
    alpha : strength >= 0, or (K,) one for each target; 0 is least squares.
    fit_intercept : whether b may differ from zero.
    max_iter : most steps of the solver, or None.
    tol : proven relative gap between the objective and its optimum.
    solver : 'auto', one of Sightline's solvers, or one of scikit-learn's names, which mean 'auto'.
    positive : constrain the coefficients to be >= 0.
    copy_X, random_state : accepted, without effect; X is never written to.

    Attributes
    ----------
    coef_ : (p,), or (K, p) for a 2-D y of K targets; in the dtype of X (float32 or float64), on its device.
    intercept_ : number, or (K,).
    n_iter_ : (K,) int32, steps taken.  solver_ : what ran.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: A. E. Hoerl and R. W. Kennard, "Ridge regression", Technometrics 12 (1970).
    """

    _foreign = frozenset(_RIDGE)
    _quick = {
        "alpha": is_positive,
        "fit_intercept": is_bool,
        "copy_X": is_bool,
        "max_iter": is_none,
        "tol": is_positive,
        "solver": is_word("auto", *_RIDGE),
        "positive": is_bool,
        "random_state": is_none,
    }
    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left"), np.ndarray, "array-like"],
        "fit_intercept": ["boolean"],
        "copy_X": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions(solver_names(*_RIDGE))],
        "positive": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) or (n, K) numbers.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        X, data, flat = self._rows(X, y, sample_weight)
        strengths = self._alphas(1 if flat else data.y.shape[1])
        penalties = [Penalty(l2=a / data.total_weight, positive=bool(self.positive)) for a in strengths]
        result = joined(self._solved(data, penalties))
        self._deliver(result, X, flat=flat)
        if not flat and data.y.shape[1] == 1:
            self.coef_ = self.coef_[0]
        self.n_iter_ = np.full(1 if flat else data.y.shape[1], max(result.n_iter, 1), dtype=np.int32)
        self.solver_ = result.solver
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    def _alphas(self, targets: int) -> list[float]:
        """One strength, or one for each target."""
        if isinstance(self.alpha, Real):
            alpha = np.array([float(self.alpha)])
        else:
            given = self.alpha.detach().cpu() if isinstance(self.alpha, Tensor) else self.alpha
            try:
                alpha = np.asarray(given, dtype=np.float64).reshape(-1)
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"alpha={self.alpha!r} is not a number, nor one number for each target ({error})."
                ) from None
            if len(alpha) not in (1, targets):
                raise DataError(
                    f"alpha has {len(alpha)} values but y has {targets} targets: Number of targets and number of"
                    f" penalties do not correspond: {len(alpha)} != {targets}"
                )
        for a in alpha:
            if not (math.isfinite(a) and a >= 0):
                raise DataError(f"alpha == {a:g}, must be a finite number >= 0.0.")
        return [float(a) for a in (alpha[:1] if bool((alpha == alpha[0]).all()) else alpha)]
