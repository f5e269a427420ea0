"""Support vector machines: the hinge and its square."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.data import Data, DataError
from sightline.design_matrix import Design
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
    is_word,
    is_zero,
    joined,
)
from sightline.losses import Hinge, SquaredHinge
from sightline.objective import Objective
from sightline.penalties import Penalty
from sightline.result import Result


class LinearSVC(Classifier):
    """Linear support vector machine at its proven optimum; a drop-in for ``sklearn.svm.LinearSVC`` but for one thing:
    **the intercept is not penalised**, so ``loss='hinge'`` with a large C is the maximum margin.

    Minimises, for two classes t = ±1, or for each class against the rest,

        ½ ‖w‖² + C Σ s_i max(0, 1 - t_i (x_i·w + b))        ``loss='hinge'``; its square for 'squared_hinge'

    (‖w‖₁ instead for ``penalty='l1'``), s = sample_weight · class weight.  ``certificate_`` speaks of the same divided
    by C · Σ s, summed over the classes.

    Parameters
    ----------
    penalty : 'l2' or 'l1', with either loss.
    loss : 'squared_hinge' or 'hinge'.
    tol : proven relative gap between the objective and its optimum.
    C : inverse strength of the penalty, a positive number.
    multi_class : 'ovr', one class against the rest.  'crammer_singer', which ignores ``loss`` and ``penalty``, is the
        same as the hinge at 2 C for two classes, and is refused for more.
    fit_intercept : whether b may differ from zero.
    class_weight : {label: weight}, 'balanced' for n / (K · count), or None.  With more than two classes the weight of
        a class counts in its own problem only and the rest has weight 1 there, as in scikit-learn.
    max_iter : most steps of the solver.
    intercept_scaling : accepted, **without effect**: in scikit-learn it eases the penalty on the intercept, and here
        there is none.
    dual, verbose, random_state : accepted, without effect.

    Attributes
    ----------
    classes_ : (K,) the labels, sorted.
    coef_ : (1, p) for two classes, (K, p) for more; in the dtype of X (float32 or float64) and on its device.
    intercept_ : (1,) or (K,).
    n_iter_ : most steps taken for a class.  certificate_, result_ : proof and ``Result``; the proof of each class alone
        is in ``result_.extra["problems"]``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20 (1995).
    """

    _quick = {
        "penalty": is_word("l1", "l2"),
        "loss": is_word("hinge", "squared_hinge"),
        "dual": is_word("auto"),
        "tol": is_positive,
        "C": is_positive,
        "multi_class": is_word("ovr"),
        "fit_intercept": is_bool,
        "intercept_scaling": is_count,
        "class_weight": is_none,
        "verbose": is_zero,
        "random_state": is_none,
        "max_iter": is_count,
    }
    _parameter_constraints = {
        "penalty": [StrOptions({"l1", "l2"})],
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "dual": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [None, dict, StrOptions({"balanced"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: Any = "auto",
        tol: float = 1e-6,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        verbose: int = 0,
        random_state: Any = None,
        max_iter: int = 1000,
    ) -> None:
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter
        self.penalty = penalty
        self.loss = loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearSVC:
        """Fit to the proven optimum.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) labels: numbers, text or booleans.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        self.classes_, codes = _inputs.class_target(y, X)
        k = len(self.classes_)
        joint = self.multi_class == "crammer_singer"
        if joint and k > 2:
            raise ValueError(f"multi_class='crammer_singer' is for two classes here and y has {k}; use 'ovr'.")
        design, codes, weight, _ = _inputs.gather(self, X, codes, sample_weight)
        factors = class_factors(self.class_weight, self.classes_, codes, weight)
        if weight is not None and bool((codes == codes[0]).all()):
            raise DataError("y has one class only in the rows of positive weight: there is nothing to tell apart.")
        results = [
            self._against_rest(design, codes, weight, factors, positive, joint)
            for positive in ([1] if k == 2 else range(k))
        ]
        result = joined(results)
        self._deliver(result, X)
        if not (self.fit_intercept or isinstance(X, Tensor)):
            self.intercept_ = 0.0
        self.n_iter_ = max(result.n_iter, 1)
        warn_unless_optimal(result.certificate, ConvergenceWarning)
        return self

    def _against_rest(
        self, design: Design, codes: Tensor, weight: Tensor | None, factors: Tensor | None, positive: int, joint: bool
    ) -> Result:
        """One class against all others."""
        ours = codes == positive
        if factors is not None:
            f = torch.where(ours, factors[positive], factors[0] if len(factors) == 2 else 1.0)
            weight = f if weight is None else weight * f
            if not bool((weight > 0).all()):
                keep = weight > 0
                design, ours, weight = design.rows(keep), ours[keep], weight[keep]
            if not bool(ours.any()) or bool(ours.all()):
                raise DataError(
                    f"class_weight={self.class_weight!r} leaves one class only: there is nothing to tell apart."
                )
        t = ours.to(torch.float64).mul_(2).sub_(1)
        data = Data(design, t, weight, None, tuple(self.classes_.tolist()), _inputs.column_names(self))
        strength = 1.0 / ((2.0 if joint else 1.0) * float(self.C) * data.total_weight)
        penalty = Penalty(l1=strength) if self.penalty == "l1" and not joint else Penalty(l2=strength)
        loss = Hinge() if joint or self.loss == "hinge" else SquaredHinge()
        return self._optimum(Objective(data, loss, penalty, bool(self.fit_intercept)))
