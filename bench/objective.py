"""The one objective: float64 NumPy, outside every solver. Losses with their derivative, curvature and conjugate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, log_softmax, xlogy

from bench.problems import Instance


class Pointwise(Protocol):
    """A loss of one row's score z (softmax: scores, one column a class) and target y; everything is per row."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The loss."""

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Its derivative in z: at the same time a feasible dual point."""

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        """sup over z of t z - value(z), at t in its domain."""


class Logistic:
    """log(1 + exp(-z)) or log(1 + exp(z)), y in {0, 1}."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logaddexp(0.0, np.where(y > 0, -z, z))

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(y > 0, -expit(-z), expit(z))

    def curvature(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return expit(z) * expit(-z)

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        b = np.abs(t)
        return xlogy(b, b) + xlogy(1.0 - b, 1.0 - b)


class Softmax:
    """log sum exp z - z_y, y a class number."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -log_softmax(z, axis=1)[np.arange(len(y)), y]

    def probabilities(self, z: np.ndarray) -> np.ndarray:
        return np.exp(log_softmax(z, axis=1))

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        g = self.probabilities(z)
        g[np.arange(len(y)), y] -= 1.0
        return g

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        q = t.copy()
        q[np.arange(len(y)), y] += 1.0
        q = np.maximum(q, 0.0)
        return xlogy(q, q).sum(axis=1)


class Squared:
    """(z - y)^2 / 2."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 * (z - y) ** 2

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return z - y

    def curvature(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.ones_like(z)

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 0.5 * t**2 + t * y


class Hinge:
    """max(0, 1 - y z), y in {-1, 1}."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(0.0, 1.0 - y * z)

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(y * z < 1.0, -y, 0.0)

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        return t * y


class SquaredHinge:
    """max(0, 1 - y z)^2, y in {-1, 1}; scikit-learn's, without a half."""

    def value(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(0.0, 1.0 - y * z) ** 2

    def gradient(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -2.0 * y * np.maximum(0.0, 1.0 - y * z)

    def curvature(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 2.0 * (y * z < 1.0)

    def conjugate(self, t: np.ndarray, y: np.ndarray) -> np.ndarray:
        return t * y + 0.25 * t**2


LOSSES: dict[str, Pointwise] = {
    "logistic": Logistic(),
    "softmax": Softmax(),
    "squared": Squared(),
    "hinge": Hinge(),
    "squared_hinge": SquaredHinge(),
}


@dataclass(frozen=True)
class Point:
    """Weights in the data's units: ``coef`` (p,) or (p, classes), ``intercept`` () or (classes,)."""

    coef: np.ndarray
    intercept: np.ndarray

    @staticmethod
    def of(instance: Instance, coef: np.ndarray, intercept: np.ndarray | float = 0.0) -> Point:
        """From scikit-learn's shapes: a flat or one-row ``coef_``, or one row a class."""
        W = np.asarray(coef, dtype=np.float64)
        b = np.asarray(intercept, dtype=np.float64).ravel()
        if instance.problem.loss == "softmax":
            return Point(W.reshape(instance.classes, instance.p).T, b if len(b) > 1 else np.repeat(b, instance.classes))
        return Point(W.reshape(instance.p), b.reshape(()))


def scores(instance: Instance, point: Point) -> np.ndarray:
    """X @ coef + intercept, (n,) or (n, classes)."""
    return np.asarray(instance.X @ point.coef + point.intercept)


def value(instance: Instance, point: Point) -> float:
    """Mean loss plus penalty; infinite where a weight is not a number."""
    if not (np.isfinite(point.coef).all() and np.isfinite(point.intercept).all()):
        return float("inf")
    with np.errstate(over="ignore"):
        total = LOSSES[instance.problem.loss].value(scores(instance, point), instance.y).mean()
        penalty = 0.5 * instance.l2 * np.sum(point.coef**2) + instance.l1 * np.abs(point.coef).sum()
    return float(total + penalty)
