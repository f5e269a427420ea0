"""The estimators and the small problem that tests of their input share."""

import numpy as np
import pytest

import sightline as sl

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 3)) @ np.diag([1.0, 2.0, 0.5]) + [0.0, 3.0, -1.0]
SCORE = X @ [1.0, -0.5, 0.3] + RNG.normal(size=60)
NAMES = ["a", "b", "c"]

MODELS = {
    "LinearRegression": sl.LinearRegression,
    "Ridge": sl.Ridge,
    "Lasso": lambda: sl.Lasso(0.1),
    "ElasticNet": lambda: sl.ElasticNet(0.1),
    "LogisticRegression": sl.LogisticRegression,
    "LinearSVC": sl.LinearSVC,
    "HuberRegressor": sl.HuberRegressor,
    "QuantileRegressor": lambda: sl.QuantileRegressor(alpha=0.01),
    "PoissonRegressor": sl.PoissonRegressor,
}
CLASSIFIERS = ["LogisticRegression", "LinearSVC"]
MANY = ["LinearRegression", "Ridge", "Lasso", "ElasticNet"]
every = pytest.mark.parametrize("name", MODELS)


def target(name):
    if name in CLASSIFIERS:
        return (SCORE - SCORE.mean() > 0).astype(np.int64)
    return np.round(np.exp(SCORE / 3)) if name == "PoissonRegressor" else SCORE
