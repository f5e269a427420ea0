"""Poisson regression with a log link."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.data import Data, DataError, _row_vector
from sightline.design_matrix import as_design
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import (
    ConvergenceWarning,
    Regressor,
    is_bool,
    is_count,
    is_positive,
    is_word,
    is_zero,
    solver_names,
)
from sightline.losses import Poisson
from sightline.objective import Objective
from sightline.penalties import Penalty

_FOREIGN = ("lbfgs", "newton-cholesky")


class PoissonRegressor(Regressor):
    """Counts with a log link; a drop-in for ``sklearn.linear_model.PoissonRegressor``, with an ``offset`` besides.

    Minimises, with rates m_i = exp(x_i·w + b + offset_i) and b never penalised,

        Σ s_i (m_i - y_i log m_i + y_i log y_i - y_i) / Σ s + ½ alpha ‖w‖²      (half the mean deviance, and ridge)

    ``certificate_`` speaks of just this.

    Parameters
    ----------
    alpha : strength >= 0; 0 for none.
    fit_intercept : whether b may differ from zero.
    solver : 'auto', one of Sightline's solvers, or one of scikit-learn's names, which mean 'auto'.
    max_iter : most steps of the solver.
    tol : proven relative gap between the objective and its optimum.
    warm_start : start from the coefficients of the last fit.
    verbose : accepted, without effect.

    Attributes
    ----------
    coef_ : (p,), in the dtype of X (float32 or float64) and on its device.  intercept_ : number.
    n_iter_ : steps taken.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, negative counts among them; a parameter out of range.

    Source: P. McCullagh and J. A. Nelder, *Generalized Linear Models* (2nd ed. 1989), chapter 6.
    """

    _foreign = frozenset(_FOREIGN)
    _quick = {
        "alpha": is_positive,
        "fit_intercept": is_bool,
        "solver": is_word("auto", *_FOREIGN),
        "max_iter": is_count,
        "tol": is_positive,
        "warm_start": is_bool,
        "verbose": is_zero,
    }
    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "solver": [StrOptions(solver_names(*_FOREIGN))],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        fit_intercept: bool = True,
        solver: str = "lbfgs",
        max_iter: int = 100,
        tol: float = 1e-6,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> PoissonRegressor:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) counts or rates >= 0.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        offset : (n,) added to the scores, such as the logarithm of the exposure; or None.  Not in scikit-learn.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        target = _inputs.numeric_target(y, X.shape[0], many=False)
        require_counts(target)
        design, target, weight, shift = _inputs.gather(self, X, target, sample_weight, offset)
        data = Data(design, target, weight, shift, None, _inputs.column_names(self))
        objective = Objective(data, Poisson(), Penalty(l2=float(self.alpha)), bool(self.fit_intercept))
        result = self._optimum(objective, self._start(None))
        self._deliver(result, X)
        self.n_iter_ = max(result.n_iter, 1)
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    def predict(self, X: Any, offset: Any = None) -> Any:
        """Expected count of each row, exp(x·w + b + offset), (n,), in the kind of X."""
        z = self._scores(X)
        if offset is not None:
            shift = _row_vector(offset, "offset", as_design(z[:, None]))
            assert shift is not None
            z = z + (shift.to(z.dtype) if isinstance(z, Tensor) else shift.numpy().astype(z.dtype))
        return torch.exp(z) if isinstance(z, Tensor) else np.exp(z)

    def score(self, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> float:
        """D², the share of the deviance of the constant model that the predictions explain."""
        rate = torch.as_tensor(self.predict(X, offset)).double().cpu()
        target = _inputs.numeric_target(y, len(rate), many=False).cpu()
        require_counts(target)
        weight = _row_vector(sample_weight, "sample_weight", as_design(rate[:, None]))
        s = torch.ones_like(rate) if weight is None else weight
        loss = Poisson()
        mean = float((s * target).sum() / s.sum())
        null = float((s * loss.value(torch.full_like(rate, math.log(max(mean, 1e-300))), target)).sum())
        deviance = float((s * loss.value(rate.log(), target)).sum())
        return 1.0 - deviance / null if null > 0 else (1.0 if deviance == 0 else -math.inf)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags


def require_counts(target: Tensor) -> None:
    """Refuse negative counts, naming the first row that holds one."""
    if bool((target < 0).any()):
        i = int((target < 0).nonzero()[0])
        raise DataError(
            f"y in row {i} is {float(target[i]):g}; the poisson loss needs counts >= 0:"
            " Some value(s) of y are out of the valid range of the loss."
        )
