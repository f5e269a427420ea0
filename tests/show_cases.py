"""Trainings for the tests of the pictures: plain gradient loops in NumPy, with the founding cases' data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from sightline.data import make_data
from sightline.losses import as_loss
from sightline.objective import Objective
from sightline.penalties import NONE, Penalty
from sightline.show.trajectories import Trajectory


def objective(X: Any, y: Any, loss: str, penalty: Penalty = NONE, intercept: bool = True, **options: Any) -> Objective:
    kind = as_loss(loss)
    return Objective(make_data(X, y, kind, **options), kind, penalty, intercept)


def descend(
    problem: Objective, rate: float, steps: int, start: Any = None, batch: int | None = None, factor: float = 1.0,
    label: str = "SGD", optimizer: str = "sgd",
) -> Trajectory:
    """Gradient descent on batches in order, every step recorded; ``factor`` times the objective is what is trained."""
    X = problem.data.design.to_dense().double()
    A = torch.cat([X, torch.ones(len(X), 1) if problem.intercept else torch.zeros(len(X), 1)], 1)
    y, n = problem.data.y, problem.n
    w = problem.zeros().flat() if start is None else torch.tensor(start, dtype=torch.float64)
    flats, at = [w.clone()], 0
    batch = batch or n
    per_epoch = -(-n // batch)
    for _ in range(steps):
        rows = slice(at, min(at + batch, n))
        at = rows.stop % n
        table = w.reshape(problem.outputs or 1, -1).T  # (p + 1, K)
        z = A[rows] @ table
        z = z if problem.outputs else z[:, 0]
        dual = problem.loss.gradient(z, y[rows])
        g = A[rows].T @ dual / (rows.stop - rows.start)
        flat = g if g.ndim == 1 else g.T.reshape(-1)
        w = w - rate * factor * (flat + problem.ridge.repeat(problem.outputs or 1) * w)
        flats.append(w.clone())
    numbers = list(range(steps + 1))
    return Trajectory(
        label, problem, [problem.zeros().unflat(f) for f in flats], numbers, [s / per_epoch for s in numbers],
        [0.001 * s for s in numbers], rate, None if batch == n else batch, optimizer, factor,
    )  # fmt: skip


def line() -> Objective:
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1)[:, None]
    return objective(x, x[:, 0] - 1 + 0.1 * torch.randn(x.shape)[:, 0], "squared")


def two_points(**options: Any) -> Objective:
    return objective(np.array([[3.0, 2.0], [1.0, 1.0]]), np.array([1, 0]), "logistic", **options)


def fahrenheit() -> Objective:
    x = np.arange(-100.0, 100.0)[:, None]
    return objective(x, (x[:, 0] > 32).astype(int), "logistic")


def iris_rows() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_iris(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.33, random_state=42)
    return X, y


def iris() -> Objective:
    X, y = iris_rows()
    return objective(
        X, (y == 2).astype(int), "logistic", intercept=False,
        columns=["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"],
    )  # fmt: skip


def iris_two_columns() -> Objective:
    X, y = iris_rows()
    return objective(X[:, 2:], (y == 2).astype(int), "logistic")


def noisy(loss: str = "hinge") -> Objective:
    rng = np.random.RandomState(0)  # noqa: NPY002 - the draws of the case as posted
    g = rng.normal(size=10) / np.sqrt(10)
    X = rng.normal(size=(100, 10)).astype(np.float32) / np.sqrt(10).astype(np.float32)
    label = X @ g > 0
    flips = rng.choice(100, 20, replace=False)
    label[flips] = ~label[flips]
    return objective(X, label.astype(int), loss)


def three_classes(n: int = 60, penalty: Penalty = NONE) -> Objective:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 2)) * 1.4 + np.array([[0, 0], [2, 0], [0, 2]])[y]
    return objective(X, y, "softmax", penalty)

