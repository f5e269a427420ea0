"""Least squares with L1 and L2 penalties: Lasso and ElasticNet."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.driver import warn_unless_optimal
from sightline.estimators._base import (
    ConvergenceWarning,
    is_bool,
    is_count,
    is_none,
    is_positive,
    is_share,
    is_word,
    joined,
)
from sightline.estimators.linear import LeastSquares
from sightline.penalties import Penalty


class ElasticNet(LeastSquares):
    """Least squares with L1 and L2 penalties; a drop-in for ``sklearn.linear_model.ElasticNet``.

    Minimises  Σ s_i (x_i·w + b - y_i)² / (2 Σ s) + alpha l1_ratio ‖w‖₁ + ½ alpha (1 - l1_ratio) ‖w‖²,  with w >= 0
    where ``positive``; b is never penalised.  ``certificate_`` speaks of just this.

    Parameters
    ----------
    alpha : strength >= 0; 0 is least squares.
    l1_ratio : share of the L1 part, 0 (ridge) to 1 (lasso).
    fit_intercept : whether b may differ from zero.
    max_iter : most steps of the solver.
    tol : proven relative gap between the objective and its optimum.
    warm_start : start from the coefficients of the last fit.
    positive : constrain the coefficients to be >= 0.
    precompute, copy_X, random_state, selection : accepted, without effect; X is never written to.

    Attributes
    ----------
    coef_ : (p,), or (K, p) for a 2-D y of K targets; in the dtype of X (float32 or float64), on its device.
    sparse_coef_ : the same as a SciPy CSR matrix.
    intercept_ : number, or (K,).
    dual_gap_ : proven gap of the objective, a number, or (K,).
    n_iter_ : steps taken; a list of K for K targets.  certificate_, result_ : proof and ``Result``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: H. Zou and T. Hastie, "Regularization and variable selection via the elastic net", J. R. Stat. Soc. B 67
    (2005).
    """

    _quick = {
        "alpha": is_positive,
        "l1_ratio": is_share,
        "fit_intercept": is_bool,
        "precompute": is_bool,
        "max_iter": is_count,
        "copy_X": is_bool,
        "tol": is_positive,
        "warm_start": is_bool,
        "positive": is_bool,
        "random_state": is_none,
        "selection": is_word("cyclic", "random"),
    }
    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "precompute": ["boolean", "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "copy_X": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "positive": ["boolean"],
        "random_state": ["random_state"],
        "selection": [StrOptions({"cyclic", "random"})],
    }

    dual_gap_: Any
    n_iter_: Any

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int | None = 1000,
        copy_X: bool = True,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.copy_X = copy_X
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive
        self.random_state = random_state
        self.selection = selection

    def fit(self, X: Any, y: Any, sample_weight: Any = None, check_input: bool = True) -> ElasticNet:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) or (n, K) numbers.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        check_input : accepted, without effect: the input is always checked.
        """
        X, data, flat = self._rows(X, y, sample_weight)
        alpha, ratio = float(self.alpha), float(self.l1_ratio)
        results = self._solved(data, [Penalty(l1=alpha * ratio, l2=alpha * (1 - ratio), positive=bool(self.positive))])
        result = joined(results)
        single = flat or data.y.shape[1] == 1
        self._deliver(result, X, flat=flat)
        if single and not flat:
            self.coef_ = self.coef_[0]
        gaps, steps = [r.certificate.gap for r in results], [max(r.n_iter, 1) for r in results]
        if single:
            self.dual_gap_, self.n_iter_ = gaps[0], steps[0]
        else:
            k = data.y.shape[1]
            self.dual_gap_ = np.array(gaps if len(gaps) == k else gaps * k)
            self.n_iter_ = steps if len(steps) == k else steps * k
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    @property
    def sparse_coef_(self) -> Any:
        """``coef_`` as a SciPy CSR matrix, (1, p) or (K, p)."""
        import scipy.sparse

        coef = self.coef_.cpu().numpy() if isinstance(self.coef_, Tensor) else self.coef_
        return scipy.sparse.csr_matrix(coef)


class Lasso(ElasticNet):
    """Least squares with an L1 penalty; a drop-in for ``sklearn.linear_model.Lasso``.

    Minimises  Σ s_i (x_i·w + b - y_i)² / (2 Σ s) + alpha ‖w‖₁: ``ElasticNet`` with l1_ratio = 1, whose documentation
    says the rest.

    Source: R. Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Stat. Soc. B 58 (1996).
    """

    _parameter_constraints = {k: v for k, v in ElasticNet._parameter_constraints.items() if k != "l1_ratio"}

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int | None = 1000,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        super().__init__(
            alpha=alpha, l1_ratio=1.0, fit_intercept=fit_intercept, precompute=precompute, copy_X=copy_X,
            max_iter=max_iter, tol=tol, warm_start=warm_start, positive=positive, random_state=random_state,
            selection=selection,
        )  # fmt: skip
