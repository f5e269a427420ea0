"""The maximum margin with scikit-learn's interface."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from sightline.certificate import Certificate, Verdict
from sightline.data import DataError
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import Classifier, ConvergenceWarning, is_bool, is_positive, is_word, joined
from sightline.estimators.svm import LinearSVC
from sightline.losses import Hinge
from sightline.max_margin import MaximumMargin, maximum_margin
from sightline.overlap import OverlapError
from sightline.penalties import Penalty
from sightline.result import Result


class MaxMarginClassifier(Classifier):
    """The hyperplane furthest from both classes, with its proof; for classes that a hyperplane separates.

    Minimises ½ ‖w‖² where t_i (x_i·w + b) >= 1, t = ±1; b is free.  ``certificate_`` speaks of ½ ‖w‖², by the duality
    gap: weights, divided by their least margin, beside multipliers.  With more than two classes each is separated from
    the rest.

    Parameters
    ----------
    fit_intercept : whether b may differ from zero.
    overlap : where no hyperplane separates the classes: 'raise' refuses them and names rows of both classes that have a
        point in common; 'soft' warns and takes ``LinearSVC(loss='hinge', C=C)``, with the verdict INFEASIBLE.
    C : of that soft margin; without effect on separable classes.
    tol : proven relative gap of ½ ‖w‖².

    Attributes
    ----------
    classes_ : (K,) the labels, sorted.
    coef_, intercept_ : (1, p) and (1,) for two classes, (K, p) and (K,) for more; float64, of least margin 1, in the
        kind of X.
    margin_ : distance of the nearest rows from the hyperplane, in the units of X; (K,) for more than two classes; nan
        where the classes overlap.
    support_ : (k,) numbers of the rows on which the hyperplane rests.  dual_coef_ : (1, k) or (K, k) multipliers
        times t, so that coef_ = dual_coef_ @ X[support_].  support_vectors_ : (k, p) these rows.
    n_iter_ : 1.  certificate_, result_ : proof and ``Result``; the proof of each class alone is in
        ``result_.extra["problems"]``.
    n_features_in_, feature_names_in_ : number of columns, and their names where X was a frame.

    Raises
    ------
    OverlapError (a ``ValueError``) : no hyperplane separates the classes (``overlap='raise'``); its ``overlap`` has the
        rows and their shares.
    ValueError (``DataError``) : rows that cannot be fitted, with the column, row or value; a parameter out of range.

    Source: V. Vapnik, "Estimation of dependences based on empirical data" (1982); for the dual K. Bennett and
    E. Bredensteiner, "Duality and geometry in SVM classifiers", ICML 2000.
    """

    _quick = {"fit_intercept": is_bool, "overlap": is_word("raise", "soft"), "C": is_positive, "tol": is_positive}
    _parameter_constraints = {
        "fit_intercept": ["boolean"],
        "overlap": [StrOptions({"raise", "soft"})],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
    }

    def __init__(
        self, *, fit_intercept: bool = True, overlap: str = "raise", C: float = 1.0, tol: float = 1e-10
    ) -> None:
        self.fit_intercept = fit_intercept
        self.overlap = overlap
        self.C = C
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MaxMarginClassifier:
        """Find the maximum margin.

        Parameters
        ----------
        X : (n, p) array, frame (pandas, polars), tensor on any device, or SciPy sparse matrix.
        y : (n,) labels: numbers, text or booleans.
        sample_weight : (n,) >= 0, or None; only whether a weight is zero matters, but for the soft margin.
        """
        self._check_parameters()
        _inputs.require_target(self, y)
        X = _inputs.read_rows(self, X, reset=True)
        self.classes_, codes = _inputs.class_target(y, X)
        design, kept, _, _ = _inputs.gather(self, X, torch.arange(X.shape[0]), sample_weight)
        places = kept.cpu().numpy()
        rows, coded = design.to_dense().cpu().numpy(), codes.cpu().numpy()[places]
        if (coded == coded[0]).all():
            raise DataError("y has one class only in the rows of positive weight: there is nothing to tell apart.")
        try:
            found = self._each_class(rows, coded, places)
        except OverlapError as error:
            if self.overlap == "raise":
                raise
            return self._soft(X, y, sample_weight, error)
        self._keep(found, X, rows, coded, places)
        warn_unless_optimal(self.certificate_, ConvergenceWarning)
        return self

    def _each_class(self, rows: Any, coded: Any, places: Any) -> list[MaximumMargin]:
        labels = self.classes_.tolist()
        binary = len(labels) == 2
        found = []
        for k in [1] if binary else range(len(labels)):
            t = np.where(coded == k, 1.0, -1.0)
            if (t < 0).all():
                raise DataError(f"class {labels[k]!r} has no rows of positive weight: there is nothing to separate.")
            names = (labels[0], labels[1]) if binary else (f"not {labels[k]}", labels[k])
            found.append(
                maximum_margin(
                    rows, t, intercept=bool(self.fit_intercept), tol=float(self.tol), classes=names, numbers=places
                )
            )
        return found

    def _keep(self, found: list[MaximumMargin], X: Any, rows: Any, coded: Any, places: Any) -> None:
        self._deliver(joined([self._result(m, rows) for m in found]), X)
        if not (self.fit_intercept or isinstance(X, Tensor)):
            self.intercept_ = 0.0
        support = np.unique(np.concatenate([m.support for m in found]))
        dual = np.zeros((len(found), len(support)))
        for row, (k, m) in enumerate(zip([1] if len(found) == 1 else range(len(found)), found)):
            t = np.where(coded[m.support] == k, 1.0, -1.0)
            dual[row, np.searchsorted(support, m.support)] = t * m.multipliers
        self.support_, self.dual_coef_ = places[support], dual
        self.support_vectors_ = rows[support]
        margins = np.array([m.margin for m in found])
        self.margin_ = float(margins[0]) if len(found) == 1 else margins
        self.n_iter_ = 1

    def _result(self, found: MaximumMargin, rows: Any) -> Result:
        """As ``Result``: the hinge with any penalty of less than 1 / (n · largest multiplier) has this very optimum."""
        strength = 0.5 / (len(rows) * float(found.multipliers.max(initial=1e-300)))
        return Result(
            weight=torch.from_numpy(found.coef.copy())[None], bias=torch.tensor([found.intercept], dtype=torch.float64),
            certificate=found.certificate, loss=Hinge(), penalty=Penalty(l2=strength if math.isfinite(strength) else 0),
            fit_intercept=bool(self.fit_intercept), classes=tuple(self.classes_.tolist()),
            columns=_inputs.column_names(self), solver="maximum margin: interior point, then the support set exactly",
            n_iter=1, rows=len(rows), total_weight=float(len(rows)),
        )

    def _soft(self, X: Any, y: Any, sample_weight: Any, error: OverlapError) -> MaxMarginClassifier:
        """The soft margin, said to be one."""
        model = LinearSVC(loss="hinge", C=float(self.C), fit_intercept=bool(self.fit_intercept))
        model.fit(X, y, sample_weight)
        certificate: Certificate = replace(model.certificate_, verdict=Verdict.INFEASIBLE, gap=math.inf)
        self.result_ = replace(model.result_, certificate=certificate, extra={"overlap": str(error)})
        self.certificate_ = certificate
        self.coef_, self.intercept_, self.n_iter_ = model.coef_, model.intercept_, model.n_iter_
        self.margin_ = math.nan
        self.support_, self.dual_coef_ = np.zeros(0, dtype=np.int64), np.zeros((len(model.coef_), 0))
        self.support_vectors_ = np.zeros((0, self.n_features_in_))
        warn_overlap(f"{error} Delivered instead: LinearSVC(loss='hinge', C={self.C:g}).")
        return self


def warn_overlap(message: str) -> None:
    """Warn in the caller of ``fit``."""
    warnings.warn(f"INFEASIBLE: {message}", ConvergenceWarning, stacklevel=4)
