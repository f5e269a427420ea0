"""scikit-learn's face: the same names, parameters and meaning, at the proven optimum."""

from sightline.estimators._base import ConvergenceWarning
from sightline.estimators.constrained import ConstrainedClassifier
from sightline.estimators.elastic_net import ElasticNet, Lasso
from sightline.estimators.linear import LinearRegression, Ridge
from sightline.estimators.logistic import LogisticRegression
from sightline.estimators.poisson import PoissonRegressor
from sightline.estimators.robust import HuberRegressor, QuantileRegressor
from sightline.estimators.svm import LinearSVC

__all__ = [
    "ConstrainedClassifier",
    "ConvergenceWarning",
    "ElasticNet",
    "HuberRegressor",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LogisticRegression",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
]
