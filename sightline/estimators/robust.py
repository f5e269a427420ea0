"""Regression that a few wild rows do not move: Huber's loss and quantiles."""

from __future__ import annotations

from numbers import Real
from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

from sightline.data import Data
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import (
    ConvergenceWarning,
    Regressor,
    is_bool,
    is_none,
    is_positive,
    is_share,
    is_word,
    solver_names,
)
from sightline.losses import Quantile
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
