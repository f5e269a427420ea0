"""Trainings whose replay pages are tested: the five founding cases, shortened, and kinds that are drawn otherwise."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

import sightline as sl
from sightline.recipes import Recipe, Training, train


def linear(p: int, outputs: int = 1, bias: bool = True, seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(p, outputs, bias=bias)


def hinge(z: Tensor, y: Tensor) -> Tensor:
    return torch.clamp(1 - y * z, min=0).mean()


def noisy() -> Training:
    random = np.random.RandomState(0)  # the case's own numbers
    n, d = 1000, 10
    g = random.normal(size=d) / np.sqrt(d)
    X = random.normal(size=(n, d)).astype(np.float32) / np.float32(np.sqrt(d))
    y = np.where(X @ g > 0, 1.0, -1.0)
    y[random.choice(n, 200, replace=False)] *= -1
    data = torch.from_numpy(X), torch.from_numpy(y).float()[:, None]
    return train(linear(d), data, hinge, Recipe("sgd", lr=0.1, batch_size=32, epochs=20, shuffle=True, seed=0))


def fahrenheit() -> Training:
    x = torch.arange(-100.0, 100.0)[:, None]
    recipe = Recipe("sgd", lr=0.1, batch_size=1, epochs=8)
    return train(linear(1), (x, (x > 32).float()), nn.BCEWithLogitsLoss(), recipe)


def two_points() -> Training:
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    return train(linear(2), (X, y), nn.BCEWithLogitsLoss(), Recipe("sgd", lr=0.1, epochs=100))


def line() -> Training:
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1)[:, None]
    y = x - 1 + 0.1 * torch.randn(x.shape)
    start = {"weight": torch.tensor([[-15.0]]), "bias": torch.tensor([-10.0])}
    return train(linear(1), (x, y), nn.MSELoss(), Recipe("sgd", lr=0.01, batch_size=5, epochs=10, start=start))


def iris(classes: int = 2) -> Training:
    X, y = load_iris(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.33, random_state=42)
    rows = torch.from_numpy(X).float()
    recipe = Recipe("sgd", lr=0.1, batch_size=33, epochs=100)  # in order the last row, a batch of its own, weighs more
    if classes == 2:
        target = torch.from_numpy(y == 2).float()[:, None]
        return train(linear(4, bias=False), (rows, target), nn.BCEWithLogitsLoss(), recipe.but(shuffle=True, seed=0))
    return train(linear(4, 3), (rows, torch.from_numpy(y)), nn.CrossEntropyLoss(), recipe)


def three_irises() -> Training:
    return iris(3)


def petals() -> Training:
    """Three classes of two features."""
    X, y = load_iris(return_X_y=True)
    rows = torch.from_numpy(X[:, 2:]).float()
    recipe = Recipe("adam", lr=0.05, batch_size=30, epochs=20, shuffle=True, seed=1)
    return train(linear(2, 3), (rows, torch.from_numpy(y)), nn.CrossEntropyLoss(), recipe)


def several_targets() -> Training:
    torch.manual_seed(0)
    X, W = torch.randn(500, 20), torch.randn(20, 3)
    y = X @ W + 0.5 * torch.randn(500, 3)
    return train(linear(20, 3), (X, y), nn.MSELoss(), Recipe("sgd", lr=0.05, batch_size=50, epochs=40))


def bent() -> Training:
    """A module that is not linear."""
    torch.manual_seed(0)
    X = torch.randn(100, 2)
    module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    y = (X[:, :1] * X[:, 1:] > 0).float()
    return train(module, (X, y), nn.BCEWithLogitsLoss(), Recipe("adam", lr=0.01, batch_size=20, epochs=10), warn=False)


def decayed() -> Training:
    """Weight decay on the bias too, which Adam couples with its steps."""
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    return train(linear(2), (X, y), nn.BCEWithLogitsLoss(), Recipe("sgd", lr=0.1, epochs=100, weight_decay=0.2))


FOUNDING = {"noisy": noisy, "fahrenheit": fahrenheit, "two_points": two_points, "line": line, "iris": iris}
OTHERS = {
    "three_irises": three_irises, "petals": petals, "several_targets": several_targets, "bent": bent,
    "decayed": decayed,
}  # fmt: skip
ALL = {**FOUNDING, **OTHERS}


@cache
def training(name: str) -> Training:
    """A training, run once."""
    return ALL[name]()


@cache
def page_of(name: str) -> str:
    """Its page, made once."""
    from sightline.show.page import page

    return page(training(name))


def listed() -> tuple[sl.Objective, list[tuple[Tensor, Tensor]]]:
    """A problem and a list of weights that approach its optimum along a line."""
    torch.manual_seed(0)
    X = torch.randn(30, 2, dtype=torch.float64)
    y = X @ torch.tensor([1.0, -2.0], dtype=torch.float64) + 0.1 * torch.randn(30, dtype=torch.float64)
    objective = sl.Objective(sl.make_data(X, y, sl.Squared()), sl.Squared())
    end = torch.tensor([1.0, -2.0], dtype=torch.float64)
    return objective, [(end * k / 10, torch.zeros(1, dtype=torch.float64)) for k in range(11)]
