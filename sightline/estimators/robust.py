"""Regression that a few wild rows do not move: Huber's loss and quantiles."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from sightline.concomitant import solve_concomitant
from sightline.data import Data
from sightline.design_matrix import as_design
from sightline.driver import to_result, warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import (
    ConvergenceWarning,
    Regressor,
    is_bool,
    is_count,
    is_none,
    is_positive,
    is_share,
    is_word,
    solver_names,
)
from sightline.losses import Huber, Quantile
from sightline.objective import Objective
from sightline.penalties import Penalty

_FOREIGN = ("highs", "highs-ds", "highs-ipm", "interior-point", "revised simplex")


class QuantileRegressor(Regressor):
    """A quantile of the target given the columns; a drop-in for ``sklearn.linear_model.QuantileRegressor``.

    Minimises  Σ s_i pinball(y_i - x_i·w - b) / Σ s + alpha ‖w‖₁,  pinball(r) = q r for r >= 0 and (q - 1) r below; b is
    never penalised.  ``certificate_`` speaks of just this.

    Parameters
    ----------
    quantile : q, strictly between 0 and 1; 0.5 is the median (least absolute deviations).
    alpha : strength of the L1 penalty, >= 0; 0 for none.
    fit_intercept : whether b may differ from zero.
    solver : 'auto', one of Sightline's solvers, or one of scikit-learn's names, which mean 'auto'.
    solver_options : accepted, without effect.

    Attributes
    ----------
    coef_ : (p,), in the dtype of X (float32 or float64) and on its device.  intercept_ : number.
    n_iter_ : steps taken.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978).
    """

    tol = 1e-6  # scikit-learn's class has no such parameter
    _foreign = frozenset(_FOREIGN)
    _quick = {
        "quantile": is_share,
        "alpha": is_positive,
        "fit_intercept": is_bool,
        "solver": is_word("auto", *_FOREIGN),
        "solver_options": is_none,
    }
    _parameter_constraints = {
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions(solver_names(*_FOREIGN))],
        "solver_options": [dict, None],
    }

    def __init__(
        self,
        *,
        quantile: float = 0.5,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "highs",
        solver_options: Any = None,
    ) -> None:
        self.quantile = quantile
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.solver_options = solver_options

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuantileRegressor:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) numbers.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        target = _inputs.numeric_target(y, X.shape[0], many=False)
        design, target, weight, _ = _inputs.gather(self, X, target, sample_weight)
        data = Data(design, target, weight, None, None, _inputs.column_names(self))
        objective = Objective(
            data, Quantile(float(self.quantile)), Penalty(l1=float(self.alpha)), bool(self.fit_intercept)
        )
        result = self._optimum(objective)
        self._deliver(result, X)
        self.n_iter_ = max(result.n_iter, 1)
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self


class HuberRegressor(Regressor):
    """Huber's regression with a scale of its own; a drop-in for ``sklearn.linear_model.HuberRegressor``.

    Minimises, jointly over w, b and the scale σ > 0,

        Σ s_i (σ + H((y_i - x_i·w - b) / σ) σ) + alpha ‖w‖²,
        H(z) = z² where |z| < epsilon, 2 epsilon |z| - epsilon² beyond

    which is convex, and does not depend on the units of y; b and σ are not penalised.  ``certificate_`` speaks of the
    same divided by Σ s.

    Parameters
    ----------
    epsilon : number of scales from which on a row counts as an outlier, >= 1.
    max_iter : most steps of the solver.
    alpha : strength of the L2 penalty, >= 0.
    warm_start : start from the coefficients of the last fit.
    fit_intercept : whether b may differ from zero.
    tol : proven relative gap between the objective and its optimum.

    Attributes
    ----------
    coef_ : (p,), in the dtype of X (float32 or float64) and on its device.  intercept_ : number.
    scale_ : σ, in the units of y; 0 where so many rows are fitted exactly that the minimum lies there.
    outliers_ : (n,) bool, the rows further than epsilon · σ from their prediction.
    n_iter_ : steps taken.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: P. J. Huber and E. M. Ronchetti, *Robust Statistics* (2nd ed. 2009), section 7.7; A. B. Owen, "A robust
    hybrid of lasso and ridge regression", Contemp. Math. 443 (2007).
    """

    _quick = {
        "epsilon": lambda v: v.__class__ is float and 1.0 <= v < math.inf,
        "max_iter": is_count,
        "alpha": is_positive,
        "warm_start": is_bool,
        "fit_intercept": is_bool,
        "tol": is_positive,
    }
    _parameter_constraints = {
        "epsilon": [Interval(Real, 1.0, None, closed="left")],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "fit_intercept": ["boolean"],
        "tol": [Interval(Real, 0.0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        epsilon: float = 1.35,
        max_iter: int = 100,
        alpha: float = 0.0001,
        warm_start: bool = False,
        fit_intercept: bool = True,
        tol: float = 1e-6,
    ) -> None:
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.alpha = alpha
        self.warm_start = warm_start
        self.fit_intercept = fit_intercept
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> HuberRegressor:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) numbers.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        target = _inputs.numeric_target(y, X.shape[0], many=False)
        whole = as_design(X)
        design, kept, weight, _ = _inputs.gather(self, X, target, sample_weight)
        data = Data(design, kept, weight, None, None, _inputs.column_names(self))
        epsilon, alpha, intercept = float(self.epsilon), float(self.alpha), bool(self.fit_intercept)
        solution, scale = solve_concomitant(
            data,
            epsilon,
            alpha,
            intercept,
            float(self.tol) or 5e-324,
            int(self.max_iter) or None,
            start=self._start(None),
            callback=None if self.max_iter else (lambda number, step: True),
        )
        # The problem that these weights solve once the scale is known.
        loss = Huber(epsilon * scale) if scale > 0 else Quantile(0.5)
        strength = alpha * scale / data.total_weight if scale > 0 else alpha / (2 * epsilon * data.total_weight)
        objective = Objective(data, loss, Penalty(l2=strength), intercept)
        result = to_result(objective, solution, scale=scale, epsilon=epsilon)
        self._deliver(result, X)
        self.n_iter_ = max(result.n_iter, 1)
        self.scale_ = scale
        residual = (whole.scores(result.weight[0].double()) + result.bias.double() - target.to(whole.device)).abs()
        rounding = 4 * torch.finfo(whole.dtype).eps * float(target.abs().max())
        outliers = residual > max(scale * epsilon, rounding)
        self.outliers_ = outliers.to(X.device) if isinstance(X, torch.Tensor) else outliers.numpy()
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self
