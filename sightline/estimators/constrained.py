"""A linear classifier that keeps constraints on its rates."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sightline.constraints.fitting import fit_constrained
from sightline.constraints.rates import Constraint, parse
from sightline.constraints.result import ConstrainedResult, ConstraintReport
from sightline.data import Data, DataError
from sightline.driver import warn_unless_optimal
from sightline.estimators import _inputs
from sightline.estimators._base import Classifier, ConvergenceWarning
from sightline.losses import Hinge, Logistic, Loss, SquaredHinge
from sightline.objective import Objective
from sightline.penalties import Penalty

LOSSES: dict[str, type[Loss]] = {"logistic": Logistic, "hinge": Hinge, "squared_hinge": SquaredHinge}


class ConstrainedClassifier(Classifier):
    """Linear classifier of two classes whose rates are kept: least loss under ``recall >= 0.9`` and the like.

    Minimises  C Σ s_i loss(t_i (x_i·w + b)) + penalty(w), by default ½ ‖w‖², over all weights that meet the constraints
    on the training rows, with a proven bound on the best there is; with ``delta``, weights whose rates hold on new data
    with probability 1 - delta.  What class weights are often used for is said by the constraints here.

    Parameters
    ----------
    subject_to : constraints such as ``sl.recall() >= 0.9``, or texts such as ``"recall>=0.9"`` and, for X with named
        columns, ``"recall[sex=1]>=0.8"``.
    loss : 'logistic', 'hinge' or 'squared_hinge'.
    C : inverse strength of the penalty, a positive number; inf for none.
    l1_ratio : share of L1 in the penalty, 0 to 1:  l1_ratio ‖w‖₁ + ½ (1 - l1_ratio) ‖w‖².
    fit_intercept : whether b may differ from zero.
    delta : None, or the probability with which the rates may be broken on new data: the weights then come from a part
        of the rows and the threshold from the others.
    held_out : share of the rows held out for that.
    tol : proven relative gap that counts as optimal.
    time_limit : seconds for the exact search; 0 leaves it out, and a proven interval remains.
    random_state : which rows are held out: a whole number, or None for 0.

    Attributes
    ----------
    classes_ : (2,) labels, sorted; rates speak of the second.  coef_, intercept_ : (1, p) and (1,), float64.
    constraints_ : the five answers, a ``ConstraintReport``.  certificate_, result_ : proof and ``ConstrainedResult``.
    n_iter_ : steps and nodes.  n_features_in_, feature_names_in_ : columns seen in ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sightline import ConstrainedClassifier
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> y = np.array([0, 1, 0, 0, 1, 1])
    >>> model = ConstrainedClassifier(["recall>=1"], loss="hinge", C=np.inf).fit(X, y)
    >>> model.predict(X)
    array([0, 1, 1, 1, 1, 1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "subject_to": ["array-like", str, Constraint],
        "loss": [StrOptions(set(LOSSES))],
        "C": [Interval(Real, 0, None, closed="neither"), Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "delta": [Interval(Real, 0, 1, closed="neither"), None],
        "held_out": [Interval(Real, 0, 1, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "time_limit": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }
    constraints_: ConstraintReport
    n_iter_: int

    def __init__(
        self, subject_to: Any = ("recall>=0.9",), *, loss: str = "logistic", C: float = 1.0, fit_intercept: bool = True,
        l1_ratio: float = 0.0, delta: float | None = None, held_out: float = 0.5, tol: float = 1e-6,
        time_limit: float = 10.0, random_state: Any = None,
    ) -> None:
        self.subject_to = subject_to
        self.loss = loss
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.delta = delta
        self.held_out = held_out
        self.tol = tol
        self.time_limit = time_limit
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ConstrainedClassifier:
        """Fit under the constraints.

        Parameters
        ----------
        X : (n, p) array, frame, tensor, or SciPy sparse matrix.  y : (n,) labels of two classes.
        sample_weight : (n,) >= 0, or None; a weight k is worth k copies of the row, in the loss and in the rates.

        Raises
        ------
        DataError : the data or the constraints cannot be fitted; with ``delta``, there is no guarantee (the message
            says how many rows it needs).
        """
        self._validate_params()
        _inputs.require_target(self, y)
        given = X
        X = _inputs.read_rows(self, X, reset=True)
        self.classes_, codes = _inputs.class_target(y, X)
        if len(self.classes_) > 2:
            raise DataError(
                "Only binary classification is supported. The type of the target is multiclass."
                f" y has {len(self.classes_)} classes; rates are of two."
            )
        constraints = self._constraints(given)
        design, codes, weight, _ = _inputs.gather(self, X, codes, sample_weight)
        if bool((codes == codes[0]).all()):
            raise DataError("y has one class only in the rows of positive weight: there is nothing to tell apart.")
        t = codes.double().mul_(2).sub_(1)
        data = Data(design, t, weight, None, tuple(self.classes_.tolist()), _inputs.column_names(self))
        C = float(self.C)
        strength = 0.0 if math.isinf(C) else 1.0 / (C * data.total_weight)
        penalty = Penalty(l1=strength * float(self.l1_ratio), l2=strength * (1.0 - float(self.l1_ratio)))
        result = fit_constrained(
            Objective(data, LOSSES[self.loss](), penalty, bool(self.fit_intercept)), constraints,
            sample_weight=sample_weight, tol=float(self.tol), time_limit=float(self.time_limit), delta=self.delta,
            held_out=float(self.held_out), seed=self._seed(),
        )  # fmt: skip
        self._finish(result, X)
        return self

    def _finish(self, result: ConstrainedResult, X: Any) -> None:
        assert result.constraints is not None
        if self.delta is None:
            self._deliver(result, X)
            warn_unless_optimal(result.certificate, ConvergenceWarning)
        else:
            guarantee = result.constraints.guarantee
            assert guarantee is not None
            if not guarantee.holds:
                raise DataError(f"there is no guarantee for new data. {guarantee.reason}")
            self._deliver(result.guaranteed(), X)
        self.constraints_ = result.constraints
        self.n_iter_ = max(result.n_iter, 1)

    def _seed(self) -> int:
        state = self.random_state
        if state is None:
            return 0
        return int(state) if not hasattr(state, "randint") else int(state.randint(2**31 - 1))

    def _constraints(self, X: Any) -> list[Constraint]:
        """The constraints, texts read; groups are found in the columns of X."""
        asked = self.subject_to
        if isinstance(asked, str | Constraint):
            asked = [asked]
        names = [str(c) for c in X.columns] if hasattr(X, "columns") and not callable(X.columns) else []

        def group(column: str, value: str) -> Any:
            if column not in names:
                known = ", ".join(names[:12]) or "no names"
                raise DataError(f"{column!r} is no column of X, whose columns have {known}; a group is made by one.")
            return matches(np.asarray(X[column]), value, column)

        return [parse(c, group) if isinstance(c, str) else c for c in asked]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def matches(values: Any, value: str, column: str) -> Any:
    """The rows whose value is the one that a text names, (n,) booleans.

    Raises
    ------
    DataError : no row has it; the values that there are are named.
    """
    found: Sequence[Any] = np.unique([str(v) for v in values]).tolist()
    same = np.array([str(v) == value for v in values])
    if not same.any():
        with contextlib.suppress(TypeError, ValueError):
            same = np.array([float(v) == float(value) for v in values])
    if not same.any():
        raise DataError(f"column {column!r} has no row with the value {value!r}; it has {', '.join(found[:8])}.")
    return same
