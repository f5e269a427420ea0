"""Snap ML: stochastic dual coordinate methods; it computes in float32."""

from __future__ import annotations

from typing import Any

from bench.peers.base import Contender, Fit, Fitted, Inputs, Setting, on, threads, tolerances


def _fit(dual: bool) -> Fit:
    def fit(inputs: Inputs, setting: Setting) -> Fitted:
        import snapml

        instance = inputs.instance
        common: dict[str, Any] = {"n_jobs": threads(), "max_iter": 100_000, "random_state": 0, **setting}
        penalty = instance.problem.penalty
        model: Any
        if instance.problem.loss == "hinge":
            model = snapml.SupportVectorMachine(regularizer=1.0 / instance.C, **common)
        elif instance.problem.loss == "logistic":
            model = snapml.LogisticRegression(regularizer=1.0 / instance.C, penalty=penalty, dual=dual, **common)
        else:
            strength = max(instance.l1, instance.l2) * instance.n
            model = snapml.LinearRegression(regularizer=strength, penalty=penalty, dual=dual, **common)
        model.fit(inputs.X, inputs.y)
        return Fitted(model.coef_)

    return fit


def contenders() -> list[Contender]:
    """Primal (both penalties) and dual (L2)."""
    ladder = tolerances(1e-1, 1e-8)
    primal = on("logistic", "squared", penalties=("l1", "l2"), intercept=False)
    dual = on("logistic", "squared", "hinge", penalties=("l2",), intercept=False)
    return [
        Contender("snapml", "primal", "float32", ladder, primal, _fit(False)),
        Contender("snapml", "dual", "float32", ladder, dual, _fit(True)),
    ]
