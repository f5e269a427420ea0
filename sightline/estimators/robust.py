"""Regression that a few wild rows do not move: Huber's loss and quantiles."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from sightline.certificate import Verdict
from sightline.data import Data
from sightline.design_matrix import as_design
from sightline.driver import warn_unless_optimal
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
from sightline.objective import Objective, Weights
from sightline.penalties import Penalty
from sightline.result import Result

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
    scale_ : σ, in the units of y.
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
        result, scale = self._joint(data)
        self._deliver(result, X)
        self.n_iter_ = max(result.n_iter, 1)
        self.scale_ = scale
        residual = (whole.scores(result.weight[0].double()) + result.bias.double() - target.to(whole.device)).abs()
        outliers = residual > scale * float(self.epsilon)
        self.outliers_ = outliers if isinstance(X, torch.Tensor) else outliers.numpy()
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    def _joint(self, data: Data) -> tuple[Result, float]:
        """The joint optimum: the scale at which its derivative, 1 - mean min((r / σ)², epsilon²), vanishes."""
        epsilon, alpha, total = float(self.epsilon), float(self.alpha), data.total_weight
        start: Weights | None = self._start(None)
        steps = 0

        def at(scale: float) -> tuple[Result, float]:
            nonlocal start, steps
            penalty = Penalty(l2=alpha * scale / total)
            objective = Objective(data, Huber(epsilon * scale), penalty, bool(self.fit_intercept))
            result = self._optimum(objective, start)
            start = Weights(result.weight[0].double(), result.bias[0].double())
            residual = objective.scores(start) - data.y
            steps += max(result.n_iter, 1)
            return result, 1.0 - objective.mean((residual / scale).square_().clamp_(max=epsilon**2))

        mean = Objective(data, Huber(1.0)).mean
        spread = math.sqrt(mean((data.y - mean(data.y)).square()))
        floor = max(10 * torch.finfo(torch.float64).eps, 1e-13 * spread)
        scale = max(spread, floor)
        result, slope = at(scale)
        low, high = (floor, scale) if slope > 0 else (scale, math.inf)
        for _ in range(100):
            guess = scale * math.sqrt(max(1.0 - slope, 1e-4)) if slope > 0 or high == math.inf else scale
            if not low < guess < high or guess == scale:
                guess = math.sqrt(low * high)
            tried, found = at(guess)
            if slope and found != slope and found / slope < 1:
                secant = guess * math.exp(-found * math.log(guess / scale) / (found - slope))
            else:
                secant = guess
            low, high = (low, guess) if found > 0 else (guess, high)
            scale, result, slope = guess, tried, found
            if low < secant < high and secant != guess:
                tried, found = at(secant)
                low, high = (low, secant) if found > 0 else (secant, high)
                scale, result, slope = secant, tried, found
            width = (high if high < math.inf else 2 * scale) - low
            if abs(slope) <= 1e-13 or abs(slope) * width <= 1e-15 * scale or scale <= 2 * floor:
                break
        inner = result.certificate
        value = scale + 2 / scale * inner.value
        gap = 2 / scale * inner.gap + abs(slope) * min(abs(scale - low), abs(high - scale), scale)
        proven = gap <= (float(self.tol) or 5e-324) * value
        verdict = (inner.verdict if inner.optimal else Verdict.OPTIMAL) if proven else Verdict.INACCURATE
        certificate = replace(inner, verdict=verdict, value=value, gap=gap, scale=value, digits=None)
        return replace(result, certificate=certificate, n_iter=steps), scale
