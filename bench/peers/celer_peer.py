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
    return Fitted(model.coef_, getattr(model, "intercept_", 0.0), {"n_iter": repr(model.n_iter_)})


def contenders() -> list[Contender]:
    """Lasso (both precisions) and L1 logistic regression, which has no intercept."""
    ladder = tolerances(1e-2, 1e-9)

    def solves(problem: Any) -> bool:
        l1 = on("logistic", "squared", penalties=("l1",))
        return l1(problem) and not (problem.loss == "logistic" and problem.intercept)

    return [
        Contender("celer", "working set", "float64", ladder, solves, _fit, "F", signs=True),
        Contender("celer", "working set", "float32", ladder, solves, _fit, "F", signs=True),
    ]
