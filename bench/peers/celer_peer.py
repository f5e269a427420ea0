"""celer: dual extrapolation and working sets for L1."""

from __future__ import annotations

from typing import Any

from bench.peers.base import Contender, Fitted, Inputs, Setting, on, tolerances


def _fit(inputs: Inputs, setting: Setting) -> Fitted:
    import celer

    instance = inputs.instance
    model: Any
    if instance.problem.loss == "logistic":
        model = celer.LogisticRegression(C=instance.C, fit_intercept=False, max_iter=200, **setting)
    else:
        intercept = instance.problem.intercept
        model = celer.Lasso(alpha=instance.l1, fit_intercept=intercept, max_iter=200, **setting)
    model.fit(inputs.X, inputs.y)
    return Fitted(model.coef_, getattr(model, "intercept_", 0.0), {"n_iter": repr(getattr(model, "n_iter_", None))})


def contenders() -> list[Contender]:
    """Lasso in both precisions, and L1 logistic regression, which has neither an intercept nor float32."""
    ladder = tolerances(1e-2, 1e-9)
    lasso = on("squared", penalties=("l1",))
    logistic = on("logistic", penalties=("l1",), intercept=False)
    return [
        Contender("celer", "logistic", "float64", ladder, logistic, _fit, "F", signs=True),
        Contender("celer", "Lasso", "float64", ladder, lasso, _fit, "F"),
        Contender("celer", "Lasso", "float32", ladder, lasso, _fit, "F"),
    ]
