"""cyanure: variance-reduced and accelerated stochastic methods with a duality gap as the stop test."""

from __future__ import annotations

from typing import Any

from bench.peers.base import Contender, Fitted, Inputs, Setting, on, threads, tolerances
from bench.peers.sklearn_peer import Dtypes


def _fit(inputs: Inputs, setting: Setting) -> Fitted:
    from cyanure.estimators import Classifier, Regression

    instance = inputs.instance
    loss = {"softmax": "multiclass-logistic", "squared_hinge": "sqhinge"}
    strength = max(instance.l1, instance.l2)
    if instance.problem.loss == "squared_hinge":
        strength /= 2  # its squared hinge has a half
    common: dict[str, Any] = {
        "penalty": instance.problem.penalty,
        "lambda_1": strength,
        "fit_intercept": instance.problem.intercept,
        "max_iter": 5000,
        "verbose": False,
        "n_threads": threads(),
        **setting,
    }
    name = instance.problem.loss
    model: Any = Regression(**common) if name == "squared" else Classifier(loss=loss.get(name, name), **common)
    model.fit(inputs.X, inputs.y)
    coef = model.coef_.T if instance.problem.loss == "softmax" and model.coef_.shape[0] == instance.p else model.coef_
    return Fitted(coef, model.intercept_ if instance.problem.intercept else 0.0)


def contenders() -> list[Contender]:
    """Its automatic choice of method, in both precisions."""
    smooth = on("logistic", "softmax", "squared", "squared_hinge", penalties=("l1", "l2"))
    return [Contender("cyanure", "auto", dtype, tolerances(1e-3, 1e-8), smooth, _fit) for dtype in Dtypes]
