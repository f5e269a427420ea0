"""Logistic regression, binary and multinomial."""

from __future__ import annotations

import math
import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from torch import Tensor

from sightline.data import Data, DataError
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import (
    Classifier,
    ConvergenceWarning,
    class_factors,
    is_bool,
    is_count,
    is_none,
    is_positive,
    is_share,
    is_word,
    is_zero,
    solver_names,
)
from sightline.losses import Logistic, Softmax
from sightline.objective import Objective
from sightline.penalties import NONE, Penalty

_FOREIGN = ("lbfgs", "liblinear", "newton-cg", "newton-cholesky", "sag", "saga")


class LogisticRegression(Classifier):
    """Logistic regression at its proven optimum; a drop-in for ``sklearn.linear_model.LogisticRegression``.

    Minimises, over coefficients w and an intercept b that is never penalised,

        C · Σ s_i log(1 + exp(-t_i (x_i·w + b))) + l1_ratio ‖w‖₁ + ½ (1 - l1_ratio) ‖w‖²      two classes, t = ±1
        C · Σ s_i (log Σ_k exp(z_ik) - z_i,y_i) + the same of all w_k,   z_ik = x_i·w_k + b_k      more classes

    with s = sample_weight · class weight.  ``certificate_`` speaks of the same divided by C · Σ s, the mean loss.

    Parameters
    ----------
    penalty : 'l1', 'l2', 'elasticnet' or None; deprecated as in scikit-learn 1.8, use ``l1_ratio`` and ``C``.
    C : inverse strength of the penalty, a positive number; inf for none.
    l1_ratio : share of the L1 part, 0 (ridge) to 1 (lasso).
    tol : proven relative gap between the objective and its optimum; scikit-learn's is a step criterion.
    fit_intercept : whether b may differ from zero.
    class_weight : {label: weight}, 'balanced' for n / (K · count), or None.
    solver : 'auto', one of Sightline's solvers, or one of scikit-learn's names, which mean 'auto': any penalty goes
        with any of them, and the optimum is the same.  (scikit-learn's 'liblinear' penalises the intercept too.)
    max_iter : most steps of the solver.
    warm_start : start from the coefficients of the last fit.
    dual, intercept_scaling, random_state, verbose, n_jobs : accepted, without effect.

    Attributes
    ----------
    classes_ : (K,) the labels, sorted.
    coef_ : (1, p) for two classes, of ``classes_[1]``; (K, p) for more, summing to zero over the classes where nothing
        else makes them unique.  In the dtype of X (float32 or float64) and, for tensors, on its device.
    intercept_ : (1,) or (K,).
    n_iter_ : (1,) int32, steps taken.
    certificate_ : ``Certificate``: verdict, proven gap, and what proves it.
    result_ : ``Result``, with ``to_module()``, ``save()`` and the trace.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Warns
    -----
    ConvergenceWarning : the verdict is neither OPTIMAL nor NOT_UNIQUE.  Without a penalty, classes that a plane
        separates have no optimum: the verdict then is NO_MINIMUM, with the direction.

    Source: D. R. Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20 (1958).
    """

    _foreign = frozenset(_FOREIGN)
    _quick = {
        "penalty": is_word("deprecated"),
        "C": is_positive,
        "l1_ratio": is_share,
        "dual": is_bool,
        "tol": is_positive,
        "fit_intercept": is_bool,
        "intercept_scaling": is_count,
        "class_weight": is_none,
        "random_state": is_none,
        "solver": is_word("auto", *_FOREIGN),
        "max_iter": is_count,
        "verbose": is_zero,
        "warm_start": is_bool,
        "n_jobs": is_none,
    }
    _parameter_constraints = {
        "penalty": [StrOptions({"l1", "l2", "elasticnet"}), None, Hidden(StrOptions({"deprecated"}))],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(solver_names(*_FOREIGN))],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
    }

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-6,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) labels: numbers, text or booleans.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        self._check_parameters()
        C, l1_ratio = self._strengths()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        self.classes_, codes = _inputs.class_target(y, X)
        data = labelled(self, X, self.classes_, codes, sample_weight)
        strength = 0.0 if math.inf == C else 1.0 / (C * data.total_weight)
        penalty = NONE if strength == 0.0 else Penalty(l1=strength * l1_ratio, l2=strength * (1.0 - l1_ratio))
        binary = len(self.classes_) == 2
        objective = Objective(data, Logistic() if binary else Softmax(), penalty, bool(self.fit_intercept))
        result = self._optimum(objective, self._start(data.outputs))
        self._deliver(result, X)
        self.n_iter_ = np.array([max(result.n_iter, 1)], dtype=np.int32)
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, (n, K), in the order of ``classes_``."""
        z = self.decision_function(X)
        if isinstance(z, Tensor):
            return torch.stack([torch.sigmoid(-z), torch.sigmoid(z)], 1) if z.ndim == 1 else torch.softmax(z, 1)
        from scipy.special import expit, softmax

        return np.stack([expit(-z), expit(z)], 1) if z.ndim == 1 else softmax(z, axis=1)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of the probability of each class, (n, K), exact where the probability itself rounds to 0 or 1."""
        z = self.decision_function(X)
        if isinstance(z, Tensor):
            sigmoid = torch.nn.functional.logsigmoid
            return torch.stack([sigmoid(-z), sigmoid(z)], 1) if z.ndim == 1 else torch.log_softmax(z, 1)
        from scipy.special import log_expit, log_softmax

        return np.stack([log_expit(-z), log_expit(z)], 1) if z.ndim == 1 else log_softmax(z, axis=1)

    def _strengths(self) -> tuple[float, float]:
        """C and the share of L1 in it, from the parameters or from the deprecated ``penalty``."""
        C, ratio = float(self.C), self.l1_ratio
        if self.n_jobs is not None:
            warnings.warn(
                f"'n_jobs' has no effect and is deprecated in scikit-learn 1.8. You provided 'n_jobs={self.n_jobs}',"
                " please leave it unspecified.",
                FutureWarning,
                stacklevel=3,
            )
        if self.penalty == "deprecated":
            if ratio is None:
                warnings.warn(
                    "'l1_ratio=None' was deprecated in scikit-learn 1.8. Use 0<=l1_ratio<=1 instead.",
                    FutureWarning,
                    stacklevel=3,
                )
            return C, float(ratio or 0.0)
        warnings.warn(
            "'penalty' was deprecated in scikit-learn 1.8. Use l1_ratio=0 instead of penalty='l2', l1_ratio=1 instead"
            " of penalty='l1', l1_ratio from 0 to 1 instead of penalty='elasticnet', C=np.inf instead of penalty=None.",
            FutureWarning,
            stacklevel=3,
        )
        if self.penalty != "elasticnet" and ratio is not None and 0 < ratio < 1:
            warnings.warn(
                f"l1_ratio parameter is only used when penalty is 'elasticnet'. Got (penalty={self.penalty})",
                stacklevel=3,
            )
        if (self.penalty == "l2" and ratio != 0) or (self.penalty == "l1" and ratio != 1):
            warnings.warn(
                f"Inconsistent values: penalty={self.penalty} with l1_ratio={ratio}. penalty is deprecated. Please use"
                " l1_ratio only.",
                stacklevel=3,
            )
        if self.penalty is None:
            if C != 1.0:
                warnings.warn("Setting penalty=None will ignore the C and l1_ratio parameters", stacklevel=3)
            return math.inf, 0.0
        if self.penalty == "elasticnet":
            if ratio is None:
                raise ValueError("l1_ratio must be specified when penalty is elasticnet.")
            return C, float(ratio)
        return C, 1.0 if self.penalty == "l1" else 0.0


def labelled(estimator: Classifier, X: Any, labels: Any, codes: Tensor, sample_weight: Any) -> Data:
    """Checked rows with class weights in them; for two classes coded -1/+1, for more by number."""
    design, codes, weight, _ = _inputs.gather(estimator, X, codes, sample_weight)
    factors = class_factors(estimator.class_weight, labels, codes, weight)
    if factors is not None:
        weight = factors[codes] if weight is None else weight * factors[codes]
        if not bool((weight > 0).all()):
            keep = weight > 0
            design, codes, weight = design.rows(keep), codes[keep], weight[keep]
    if weight is not None and (len(codes) == 0 or bool((codes == codes[0]).all())):
        raise DataError("y has one class only in the rows of positive weight: there is nothing to tell apart.")
    known = tuple(labels.tolist())
    y = codes if len(known) > 2 else codes.to(torch.float64).mul_(2).sub_(1)
    return Data(design, y, weight, None, known, _inputs.column_names(estimator))
