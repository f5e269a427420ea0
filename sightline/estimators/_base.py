"""What all estimators share: cheap checks of parameters, fitted attributes, scores, predictions.

Outputs follow the inputs: NumPy arrays in the data's dtype for arrays, frames and sparse matrices; tensors on the
data's device for tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import sklearn.exceptions
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sightline import driver
from sightline.certificate import Certificate, Verdict
from sightline.data import DataError
from sightline.design_matrix import as_design
from sightline.estimators import _inputs
from sightline.objective import Objective, Weights
from sightline.penalties import Penalty
from sightline.result import Result
from sightline.solvers.choice import SOLVERS


class ConvergenceWarning(driver.ConvergenceWarning, sklearn.exceptions.ConvergenceWarning):
    """A fit did not end at a proven optimum; the message has the verdict and the number."""


def is_bool(v: Any) -> bool:
    """Quick check of a parameter: True or False."""
    return v is True or v is False


def is_none(v: Any) -> bool:
    """Quick check of a parameter: None."""
    return v is None


def is_positive(v: Any) -> bool:
    """Quick check of a parameter: a finite float above zero."""
    return v.__class__ is float and 0.0 < v < math.inf


def is_share(v: Any) -> bool:
    """Quick check of a parameter: a float from zero to one."""
    return v.__class__ is float and 0.0 <= v <= 1.0


def is_count(v: Any) -> bool:
    """Quick check of a parameter: an int above zero."""
    return v.__class__ is int and v > 0


def is_zero(v: Any) -> bool:
    """Quick check of a parameter: the int 0."""
    return v.__class__ is int and v == 0


def is_word(*words: str) -> Callable[[Any], bool]:
    """Quick check of a parameter: one of these words."""
    known = frozenset(words)
    return lambda v: v.__class__ is str and v in known


class LinearModel(BaseEstimator):
    """Base of all estimators.

    ``_quick`` holds a cheap sufficient check of each parameter; where one does not pass, scikit-learn's own validation
    against ``_parameter_constraints`` decides, with its messages.  ``_foreign`` are scikit-learn's solver names, which
    all mean 'auto': the optimum is the same.
    """

    _quick: ClassVar[dict[str, Callable[[Any], bool]]] = {}
    _foreign: ClassVar[frozenset[str]] = frozenset()
    tol: Any
    coef_: Any
    intercept_: Any
    fit_intercept: bool
    certificate_: Certificate
    result_: Result

    def _check_parameters(self) -> None:
        values = self.__dict__
        for name, passes in self._quick.items():
            if not passes(values[name]):
                if not sklearn.get_config()["skip_parameter_validation"]:
                    self._validate_params()
                return

    def _solver(self) -> str:
        """The solver's name as the driver knows it."""
        name = getattr(self, "solver", "auto")
        return "auto" if name in self._foreign else str(name)

    def _optimum(self, objective: Objective, start: Weights | None = None) -> Result:
        """The proven optimum of one problem, or the best that the limits allow."""
        steps = getattr(self, "max_iter", None)
        tol = float(self.tol) or 5e-324
        stop = None if steps != 0 else (lambda number, step: True)
        solution = driver.solve(
            objective,
            solver=self._solver(),
            tol=tol,
            max_iter=None if not steps else int(steps),
            start=start,
            callback=stop,
        )
        return driver.to_result(objective, solution)

    def _start(self, outputs: int | None) -> Weights | None:
        """Where the last fit ended, if ``warm_start`` asks for it and its shape fits."""
        state = self.__dict__
        if not state.get("warm_start") or "coef_" not in state:
            return None
        coef, intercept = (_as_tensor(state[name]) for name in ("coef_", "intercept_"))
        k, p = (1 if outputs is None else outputs), state["n_features_in_"]
        if coef.numel() != k * p or not bool(torch.isfinite(coef).all()):
            return None
        table, bias = coef.reshape(k, p), intercept.reshape(-1).expand(k)
        return Weights(table[0], bias[0]) if outputs is None else Weights(table.T, bias)

    def _deliver(self, result: Result, X: Any) -> None:
        self.result_ = result
        self.certificate_ = result.certificate

    def _table(self, X: Any) -> Any:
        """X for a prediction: finite, and with the columns of ``fit``."""
        if "coef_" not in self.__dict__:
            check_is_fitted(self, "coef_")
        X = _inputs.read_rows(self, X, reset=False)
        _inputs.require_finite(self, X)
        return X

    def _scores(self, X: Any) -> Any:
        """X coef' + intercept in X's kind: (n,), or (n, K)."""
        X = self._table(X)
        coef, intercept = self.coef_, self.intercept_
        if isinstance(X, Tensor):
            if hasattr(coef, "toarray"):
                coef = coef.toarray()
            w, b = (torch.as_tensor(v, device=X.device) for v in (coef, intercept))
            w = w.T if w.ndim == 2 else w
            if X.layout is not torch.strided:
                z = as_design(X).scores(w.double().cpu()).to(X.device, w.dtype)
            else:
                dtype = torch.promote_types(X.dtype, w.dtype)
                z = X.to(dtype) @ w.to(dtype)
            return z + b.to(z.dtype)
        if isinstance(coef, Tensor):
            coef, intercept = (
                coef.cpu().numpy(),
                intercept.cpu().numpy() if isinstance(intercept, Tensor) else intercept,
            )
        z = X @ coef.T
        if hasattr(z, "toarray"):
            z = z.toarray()
        return z + intercept

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Regressor(RegressorMixin, LinearModel):
    """Estimators of numbers: ``coef_`` (p,) and a scalar ``intercept_``; (K, p) and (K,) for K targets."""

    def predict(self, X: Any) -> Any:
        """Predicted target of each row, (n,), or (n, K) for a model of K targets, in the kind of X."""
        return self._scores(X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R², the share of the target's variance that the predictions explain (weighted; mean over targets)."""
        from sklearn.metrics import r2_score

        return float(r2_score(_as_array(y), _as_array(self.predict(X)), sample_weight=_as_array(sample_weight)))

    def _deliver(self, result: Result, X: Any, *, flat: bool = True) -> None:
        """Fitted attributes; ``flat`` for one target that came as a vector."""
        super()._deliver(result, X)
        coef, intercept = _like(result.weight, X), _like(result.bias, X)
        self.coef_ = coef[0] if flat else coef
        if self.fit_intercept or isinstance(X, Tensor):
            self.intercept_ = intercept[0] if flat else intercept
        else:
            self.intercept_ = 0.0


class Classifier(ClassifierMixin, LinearModel):
    """Estimators of labels: ``coef_`` (1, p) for two classes, (K, p) for more."""

    classes_: Any

    def decision_function(self, X: Any) -> Any:
        """Score of each row: (n,) for two classes (positive for ``classes_[1]``), (n, K) for K."""
        z = self._scores(X)
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: Any) -> Any:
        """Label of each row, (n,)."""
        z = self.decision_function(X)
        if isinstance(z, Tensor):
            index = (z > 0).long() if z.ndim == 1 else z.argmax(1)
            classes = _inputs.labels_like(self.classes_, z)
            return classes[index if isinstance(classes, Tensor) else index.cpu().numpy()]
        classes = _as_array(self.classes_)
        return classes[(z > 0).astype(np.intp) if z.ndim == 1 else z.argmax(1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy: the (weighted) share of rows whose label is predicted."""
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(_as_array(y), _as_array(self.predict(X)), sample_weight=_as_array(sample_weight)))

    def densify(self) -> Any:
        """Make ``coef_`` a dense array again."""
        check_is_fitted(self, "coef_")
        if hasattr(self.coef_, "toarray"):
            self.coef_ = self.coef_.toarray()
        return self

    def sparsify(self) -> Any:
        """Make ``coef_`` a SciPy CSR matrix: smaller where most coefficients are zero (L1)."""
        import scipy.sparse

        check_is_fitted(self, "coef_")
        self.coef_ = scipy.sparse.csr_matrix(_as_array(self.coef_))
        return self

    def _deliver(self, result: Result, X: Any) -> None:
        super()._deliver(result, X)
        self.coef_ = _like(result.weight, X)
        self.intercept_ = _like(result.bias, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = True
        return tags


def class_factors(class_weight: Any, labels: Any, codes: Tensor, weight: Tensor | None) -> Tensor | None:
    """Weight of each class, (K,) float64, as scikit-learn's ``compute_class_weight`` means it; None for all ones."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        counts = torch.bincount(codes, weights=weight, minlength=len(labels)).double()
        return torch.where(counts > 0, counts.sum() / (int((counts > 0).sum()) * counts.clamp(min=1e-300)), 0.0)
    from sklearn.utils.class_weight import compute_class_weight

    known = _as_array(labels)
    bad = {k: v for k, v in class_weight.items() if not (np.isreal(v) and math.isfinite(v) and v >= 0)}
    if bad:
        raise DataError(f"class_weight holds {bad}; every weight must be a finite number >= 0.")
    factors = compute_class_weight(class_weight, classes=known, y=known)
    return torch.from_numpy(np.asarray(factors, dtype=np.float64)).to(codes.device)


def joined(results: Sequence[Result], penalty: Penalty | None = None) -> Result:
    """Results of problems that do not touch each other (one a class or target) as one, their sum.

    Value and gap add up; the verdict, the relative gap and the digits are the worst of them.
    """
    first = results[0]
    if len(results) == 1:
        return first
    certificates = [r.certificate for r in results]
    order = list(Verdict)
    worst = max(certificates, key=lambda c: (not c.optimal, order.index(c.verdict)))
    digits = [c.digits for c in certificates]
    gap, relative = math.fsum(c.gap for c in certificates), max(c.relative_gap for c in certificates)
    certificate = replace(
        worst,
        value=math.fsum(c.value for c in certificates),
        gap=gap,
        scale=gap / relative if 0 < relative < math.inf else math.fsum(c.scale for c in certificates),
        digits=None if None in digits else min(d for d in digits if d is not None),
    )
    return replace(
        first,
        weight=torch.cat([r.weight for r in results]),
        bias=torch.cat([r.bias for r in results]),
        certificate=certificate,
        penalty=first.penalty if penalty is None else penalty,
        n_iter=max(r.n_iter for r in results),
        extra={"problems": [r.certificate.to_dict() for r in results]},
    )


def solver_names(*foreign: str) -> set[str]:
    """Names that ``solver=`` takes: scikit-learn's and ours."""
    return {"auto", *SOLVERS, *foreign}


def _as_tensor(v: Any) -> Tensor:
    if hasattr(v, "toarray"):
        v = v.toarray()
    return torch.as_tensor(v).detach().double()


def _as_array(v: Any) -> Any:
    """Tensors, and lists of them, as NumPy arrays on the CPU; everything else as it is."""
    return v.detach().cpu().numpy() if isinstance(v, Tensor) else v


def _like(t: Tensor, X: Any) -> Any:
    """The tensor, a copy, in the kind of X."""
    return t.clone().to(X.device) if isinstance(X, Tensor) else t.cpu().numpy().copy()
