"""Sightline: linear models in PyTorch that reach the right answer, prove it, and show why yours didn't."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Name -> module; imported when first asked for, so that ``import sightline`` costs next to nothing.
_WHERE = {
    "fit": "driver", "solve": "driver", "ConvergenceWarning": "driver",
    "Result": "result", "load": "model_file", "ModelFileError": "model_file",
    "certify": "certifying",
    "separation": "separating.asking", "Separation": "separating.separation",
    "Certificate": "certificate", "Verdict": "certificate", "Witness": "certificate",
    "Data": "data", "DataError": "data", "make_data": "data",
    "Objective": "objective", "Weights": "objective",
    "Penalty": "penalties", "L1": "penalties", "L2": "penalties", "ElasticNetPenalty": "penalties",
    "Firth": "penalties", "profile_intervals": "firth_profile", "ProfileIntervals": "firth_profile",
    "Loss": "losses", "Squared": "losses", "Logistic": "losses", "Softmax": "losses", "Hinge": "losses",
    "SquaredHinge": "losses", "Huber": "losses", "Poisson": "losses", "Quantile": "losses",
    "Trace": "trace", "watch": "check.notebook",
    "recall": "constraints.rates", "precision": "constraints.rates", "false_positive_rate": "constraints.rates",
    "specificity": "constraints.rates", "selection_rate": "constraints.rates", "accuracy": "constraints.rates",
    "Rate": "constraints.rates", "Constraint": "constraints.rates", "ConstrainedResult": "constraints.result",
    "ConstraintReport": "constraints.result", "ConstrainedClassifier": "estimators.constrained",
    "ConstrainedTraining": "recipes.constrained",
    "Recipe": "recipes.recipe", "train": "recipes.training", "Training": "recipes.result",
    "TrainingTrace": "recipes.trace", "grid": "recipes.grid", "train_grid": "recipes.grid",
    "LinearRegression": "estimators.linear", "Ridge": "estimators.linear", "Lasso": "estimators.elastic_net",
    "ElasticNet": "estimators.elastic_net", "LogisticRegression": "estimators.logistic",
    "MaxMarginClassifier": "estimators.max_margin", "Perceptron": "estimators.perceptron", "OverlapError": "overlap",
    "implicit_bias": "limit_direction", "ImplicitBias": "limit_direction",
    "LinearSVC": "estimators.svm", "HuberRegressor": "estimators.robust",
    "QuantileRegressor": "estimators.robust", "PoissonRegressor": "estimators.poisson",
}  # fmt: skip

# Asked for by other programs: ``%load_ext sightline`` in IPython.
_HOOKS = {"load_ipython_extension": "check.notebook"}

_PACKAGES = ("show",)  # used as they are: ``sl.show.gap(result)``

__all__ = ["__version__", *_PACKAGES, *_WHERE]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"sightline.{name}")
    where = _WHERE.get(name) or _HOOKS.get(name)
    if where is None:
        raise AttributeError(f"module 'sightline' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sightline.{where}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
