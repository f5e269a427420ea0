"""Lower bounds on the optimum by Fenchel duality: one feasible dual point, in plain float64 NumPy.

For the primal ``mean f(z) + R(w)`` any dual point t (a value in the domain of the conjugate for every row) gives
``-mean f*(t) - R*(-X't/n)`` below the optimum. A free intercept adds the condition that t sums to zero.
"""

from __future__ import annotations

import numpy as np

from bench.objective import LOSSES, Point, scores, value
from bench.problems import Instance


def lower_bound(instance: Instance, point: Point, theta: np.ndarray | None = None) -> float:
    """A proven lower bound on the optimum, from the loss's derivative at a point or from a given dual point."""
    loss, y, n = LOSSES[instance.problem.loss], instance.y, instance.n
    if theta is None:
        theta = loss.gradient(scores(instance, point), y)
    if instance.problem.intercept:
        theta = _balanced(instance, theta)
    v = np.asarray(instance.X.T @ theta) / n
    if not instance.l1 and not instance.l2:
        return _normal_equations(instance, point, v)
    if instance.l1 and not instance.l2:
        largest = float(np.abs(v).max())
        if largest > instance.l1:
            theta, v = theta * (instance.l1 / largest), v * (instance.l1 / largest)
        conjugate = 0.0
    else:
        conjugate = float((np.maximum(np.abs(v) - instance.l1, 0.0) ** 2).sum() / (2.0 * instance.l2))
    return float(-loss.conjugate(theta, y).mean() - conjugate)


def _balanced(instance: Instance, theta: np.ndarray) -> np.ndarray:
    """The dual point moved, as little as is simple, to sum to zero and stay feasible."""
    y, n = instance.y, instance.n
    if instance.problem.loss == "squared":
        return theta - theta.mean()
    if instance.problem.loss == "softmax":
        excess = theta.sum(axis=0)
        counts = np.bincount(y, minlength=instance.classes)
        share = float(np.max(np.abs(excess) / counts)) * 1.01
        if share == 0.0:
            return theta
        share = min(share, 0.5)
        mixed = np.broadcast_to((counts - excess * (1 - share) / share) / n, theta.shape).copy()
        mixed[np.arange(n), y] -= 1.0
        return (1 - share) * theta + share * mixed
    up, down = float(theta[theta > 0].sum()), float(-theta[theta < 0].sum())
    level = min(up, down)
    return np.where(theta > 0, theta * (level / up if up else 0.0), theta * (level / down if down else 0.0))


def _normal_equations(instance: Instance, point: Point, gradient: np.ndarray) -> float:
    """Least squares without a penalty: the objective minus half the gradient in the metric of the inverse Hessian."""
    if instance.problem.loss != "squared":
        raise ValueError(f"no bound for {instance.problem.loss} without a penalty")
    X = instance.X - instance.X.mean(axis=0) if instance.problem.intercept else instance.X
    return value(instance, point) - 0.5 * float(gradient @ np.linalg.solve(X.T @ X / instance.n, gradient))
