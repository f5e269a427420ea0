"""Sightline's estimators at their default tolerance: nothing is tuned, and what they claim is checked."""

from __future__ import annotations

from typing import Any

from bench.peers.base import Contender, Fitted, Inputs, Setting, on

TOL = 1e-6


def _estimator(inputs: Inputs, tol: float) -> Any:
    import sightline as sl

    instance, common = inputs.instance, {"fit_intercept": inputs.instance.problem.intercept, "tol": tol}
    loss, penalty = instance.problem.loss, instance.problem.penalty
    if loss in ("logistic", "softmax"):
        return sl.LogisticRegression(C=instance.C, l1_ratio=float(penalty == "l1"), **common)
    if loss in ("hinge", "squared_hinge"):
        return sl.LinearSVC(loss=loss, C=instance.C, **common)
    if penalty == "l2":
        return sl.Ridge(alpha=instance.l2 * instance.n, **common)
    if penalty == "l1":
        return sl.Lasso(alpha=instance.l1, **common)
    return sl.LinearRegression(**common)


def _fit(inputs: Inputs, setting: Setting) -> Fitted:
    model = _estimator(inputs, setting["tol"]).fit(inputs.X, inputs.y)
    certificate = model.certificate_
    verdict = certificate.verdict
    says = {
        "verdict": str(getattr(verdict, "name", verdict)),
        "gap": float(certificate.gap),
        "relative_gap": float(certificate.relative_gap),
        "n_iter": repr(getattr(model, "n_iter_", None)),
        "solver": repr(getattr(getattr(model, "result_", None), "solver", None)),
    }
    return Fitted(model.coef_, model.intercept_, says)


def contenders() -> list[Contender]:
    """One a precision."""
    every = on("logistic", "softmax", "squared", "hinge", "squared_hinge")
    return [
        Contender("sightline", "fit", "float64", ({"tol": TOL},), every, _fit),
        Contender("sightline", "fit", "float32", ({"tol": TOL},), lambda p: p.name != "iris", _fit),
    ]
