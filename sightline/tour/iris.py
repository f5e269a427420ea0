"""Case 5: iris, virginica or not.

A notebook that teaches logistic regression in PyTorch (``logreg_pytorch`` of "Probabilistic Machine Learning"):
gradient by hand and by autograd, L-BFGS, SGD by hand and by optimizer, momentum, Adam, modules of three kinds, against
scikit-learn.  It finds that SGD ends elsewhere than the others and leaves several classes as an exercise.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from sightline.certificate import Certificate
from sightline.driver import fit
from sightline.recipes import Recipe, Training, train
from sightline.tour.engines import compiled_here

BATCH, EPOCHS, RATE = 33, 100, 0.1


class ByHand(torch.optim.Optimizer):
    """The loop without an optimizer: ``params -= lr * grad``, or ``added``: ``params.add_(grad, alpha=-lr)``."""

    def __init__(self, params: Any, lr: float = RATE, added: bool = False) -> None:
        super().__init__(params, {"lr": lr, "added": added})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step against the gradient."""
        for group in self.param_groups:
            for params in group["params"]:
                if group["added"]:
                    params.add_(params.grad, alpha=-group["lr"])
                else:
                    params -= group["lr"] * params.grad


RECIPES = {
    "L-BFGS": Recipe("lbfgs", history_size=10, epochs=10),
    "SGD by hand": Recipe(ByHand, lr=RATE, epochs=EPOCHS),
    "SGD by hand, added": Recipe(ByHand, lr=RATE, epochs=EPOCHS, added=True),
    "SGD": Recipe("sgd", lr=RATE, epochs=EPOCHS),
    "momentum": Recipe("sgd", lr=RATE, momentum=0.9, epochs=EPOCHS),
    "Adam": Recipe("adam", lr=RATE, epochs=EPOCHS),
}
DISTANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)  # above the optimum
ENOUGH_STEPS = 200_000


class Subclass(nn.Module):
    """Logistic regression as a class of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Probabilities, (n,)."""
        return torch.sigmoid(self.linear(x))[:, 0]


def sequential() -> nn.Module:
    """Layers in a row."""
    return nn.Sequential(nn.Linear(4, 1, bias=False), nn.Sigmoid(), nn.Flatten(0))


def named() -> nn.Module:
    """Layers in a row, with names."""
    layers = [("linear", nn.Linear(4, 1, bias=False)), ("probability", nn.Sigmoid()), ("flat", nn.Flatten(0))]
    return nn.Sequential(OrderedDict(layers))


MODULES = {"nn.Sequential": sequential, "named layers": named, "a subclass": Subclass}


def flowers() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """X (100, 4), y (100,), and the 50 rows held out: float64, 1 for virginica."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    X, y = load_iris(return_X_y=True)
    parts = train_test_split(X, (y == 2).astype(np.float64), test_size=0.33, random_state=42)
    X_train, X_test, y_train, y_test = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
    return X_train, y_train, X_test, y_test


@dataclass(frozen=True)
class End:
    """Where a recipe ended.

    above, lowest : how far the training loss is above the optimum at its end, and at its lowest step.
    train, test : shares told rightly.  steps : how many were taken.
    same : whether every kind of module had the same weights after every step, bit for bit; None in the short form,
    which runs one kind.
    """

    name: str
    above: float
    lowest: float
    train: float
    test: float
    steps: int
    same: bool | None


@dataclass(frozen=True)
class Three:
    """All three irises.

    certificate : of the softmax model.  above, right : of a training with ``CrossEntropyLoss``, how far above the
    infimum it ends and its share of right answers.  same, difference : whether with ``NLLLoss`` of ``log_softmax`` the
    weights were the same bit for bit after every step, and their largest relative difference at the end.
    """

    certificate: Certificate
    above: float
    right: float
    same: bool
    difference: float


@dataclass(frozen=True)
class Facts:
    """Numbers of the case.

    weights, certificate : of the optimum; test : its share of right answers on the rows held out.
    peer : scikit-learn's weights with C = 1e5, a penalty of 1e-7; peer_test, peer_loss and peer_gradient : its share of
        right answers, mean loss and gradient on the rows held out.
    gradients_differ : largest difference between that gradient by formula and by autograd.
    lbfgs : loss before each step of L-BFGS.
    ends : of the recipes.  by_hand : largest difference at any step between the weights of ``params -= lr * grad`` and
        the optimizer's; added : the same for ``params.add_(grad, alpha=-lr)``.
    eigenvalues : of the curvature at the optimum, rising.  steepest : no curvature of the loss is larger anywhere.
    parts : what SGD's end is above the optimum by each eigen-direction, as the curvature at the optimum counts it.
    predicted : steps of full-batch descent from there to within the last of ``DISTANCES``, computed from the curvature
        at the optimum; per_digit : steps that divide the distance by ten in the flattest direction.
    counted : (distance above the optimum, step at which a run reached it); empty in the short form.
    """

    weights: tuple[float, ...]
    certificate: Certificate
    test: float
    peer: tuple[float, ...]
    peer_test: float
    peer_loss: float
    peer_gradient: tuple[float, ...]
    gradients_differ: float
    lbfgs: tuple[float, ...]
    ends: tuple[End, ...]
    by_hand: float
    added: float
    eigenvalues: tuple[float, ...]
    steepest: float
    parts: tuple[float, ...]
    predicted: int
    per_digit: float
    counted: tuple[tuple[float, int], ...]
    three: Three
    runs: dict[str, Training] = field(repr=False, compare=False)

    @property
    def condition(self) -> float:
        """Largest over smallest curvature at the optimum."""
        return self.eigenvalues[-1] / self.eigenvalues[0]


def facts(short: bool = False) -> Facts:
    """Run the case."""
    X, y, X_test, y_test = flowers()
    best = fit(X, y, loss="logistic", fit_intercept=False, tol=1e-12)
    w = best.weight[0]
    runs: dict[str, Training] = {}
    ends = []
    kinds = list(MODULES.values())[: 1 if short else None]
    for name, recipe in RECIPES.items():
        trained = [_train(make(), X, y, recipe) for make in kinds]
        runs[name] = trained[0]
        ends.append(_end(name, trained, (X, y, X_test, y_test)))
    values, directions = torch.linalg.eigh(_hessian(X, w))
    away = directions.T @ (runs["SGD"].weight[0].double() - w)
    parts = values * away.square() / 2
    peer = _peer(X, y)
    loss, by_formula, by_autograd = _gradients(peer, X_test, y_test)
    return Facts(
        weights=tuple(w.tolist()), certificate=best.certificate, test=_right(w, X_test, y_test),
        peer=tuple(peer.tolist()), peer_test=_right(peer, X_test, y_test), peer_loss=loss,
        peer_gradient=tuple(by_autograd.tolist()),
        gradients_differ=float((by_formula - by_autograd).abs().max()),
        lbfgs=tuple(runs["L-BFGS"].trace.batch_loss[1:]), ends=tuple(ends),
        by_hand=_apart(runs["SGD by hand"], runs["SGD"]), added=_apart(runs["SGD by hand, added"], runs["SGD"]),
        eigenvalues=tuple(values.tolist()), steepest=float(torch.linalg.eigvalsh(X.T @ X / len(X))[-1]) / 4,
        parts=tuple(parts.tolist()), predicted=_predicted(values, parts),
        per_digit=math.log(10) / (-2 * math.log1p(-RATE * float(values[0]))),
        counted=() if short or not compiled_here() else _counted(X, y, best.certificate.lower_bound),
        three=_three(short), runs=runs,
    )  # fmt: skip


def _train(module: nn.Module, X: Tensor, y: Tensor, recipe: Recipe) -> Training:
    """Train from the notebook's start and random numbers: seed 0, four normal ones, then the loader's."""
    X, y = X.float(), y.float()
    torch.manual_seed(0)
    start = torch.randn((4, 1)).T
    with torch.no_grad():
        next(module.parameters()).copy_(start)
    data: Any = (X, y)
    if recipe.optimizer != "lbfgs":
        data = DataLoader(TensorDataset(X, y), batch_size=BATCH, shuffle=True)
    return train(module, data, nn.BCELoss(), recipe, record="all")


def _right(weights: Tensor, X: Tensor, y: Tensor) -> float:
    return float(((X @ weights.double() > 0) == (y > 0)).double().mean())


def _same(one: Training, other: Training) -> bool:
    """Whether two trainings had the same weights after every step, bit for bit."""
    return len(one.trace.states) == len(other.trace.states) and all(
        torch.equal(a, b) for s, t in zip(one.trace.states, other.trace.states) for a, b in zip(s, t)
    )


def _apart(one: Training, other: Training) -> float:
    """Largest difference of two trainings' weights at any step."""
    pairs = zip(one.trace.states, other.trace.states)
    return max(float((a - b).abs().max()) for s, t in pairs for a, b in zip(s, t))


def _end(name: str, trained: list[Training], rows: tuple[Tensor, ...]) -> End:
    run, (X, y, X_test, y_test) = trained[0], rows
    gaps = run.trace.gap
    w = run.weight[0]
    return End(
        name, gaps[-1], min(gaps), _right(w, X, y), _right(w, X_test, y_test), run.n_iter,
        all(_same(run, other) for other in trained) if len(trained) > 1 else None,
    )  # fmt: skip


def _hessian(X: Tensor, w: Tensor) -> Tensor:
    """Of the mean logistic loss."""
    p = torch.sigmoid(X @ w)
    return (X * (p * (1 - p))[:, None]).T @ X / len(X)


def _peer(X: Tensor, y: Tensor) -> Tensor:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e5, fit_intercept=False, tol=1e-8, max_iter=10_000).fit(X.numpy(), y.numpy())
    return torch.from_numpy(model.coef_[0].copy())


def _gradients(w: Tensor, X: Tensor, y: Tensor) -> tuple[float, Tensor, Tensor]:
    """(mean loss, its gradient by the formula X'(p - y)/n, and by autograd)."""
    w = w.clone().requires_grad_()
    loss = F.binary_cross_entropy(torch.sigmoid(X @ w), y)
    loss.backward()
    assert w.grad is not None
    by_formula = X.T @ (torch.sigmoid(X @ w.detach()) - y) / len(y)
    return float(loss.detach()), by_formula, w.grad


def _predicted(values: Tensor, parts: Tensor) -> int:
    """Steps of full-batch descent until the parts add up to the last of ``DISTANCES``, by bisection.

    In an eigen-direction a step leaves (1 - rate * eigenvalue)² of the part.
    """
    low, high = 0, 10**9
    while high - low > 1:
        middle = (low + high) // 2
        left = float((parts * (1 - RATE * values).abs() ** (2 * middle)).sum())
        low, high = (middle, high) if left > DISTANCES[-1] else (low, middle)
    return high


def _counted(X: Tensor, y: Tensor, lowest: float) -> tuple[tuple[float, int], ...]:
    """Steps at which full-batch descent from the notebook's start is so near to the optimum, to the hundred."""
    module = nn.Linear(4, 1, bias=False, dtype=torch.float64)
    torch.manual_seed(0)
    start = {"weight": torch.randn((4, 1)).T.double()}
    recipe = Recipe("sgd", lr=RATE, epochs=ENOUGH_STEPS, start=start)
    run = train(module, (X, y[:, None]), nn.BCEWithLogitsLoss(), recipe, engine="compiled", record=100)
    above = np.asarray(run.trace.value) - lowest
    steps = np.asarray(run.trace.step)
    return tuple((d, int(steps[above <= d][0])) for d in DISTANCES if bool((above <= d).any()))


def _three(short: bool) -> Three:
    """All three irises, with intercepts, by two losses that are one."""
    from sklearn.datasets import load_iris

    X, y = (torch.from_numpy(part) for part in load_iris(return_X_y=True))
    best = fit(X, y, loss="softmax", tol=1e-10, warn=False)
    recipe = Recipe("lbfgs", lr=1.0, epochs=10 if short else 40, line_search_fn="strong_wolfe")

    def run(last: nn.Module, loss: Any) -> Training:
        module = nn.Sequential(nn.Linear(4, 3, dtype=torch.float64), last)
        return train(module, (X, y), loss, recipe.but(start="zeros"), record="all")

    one = run(nn.Identity(), nn.CrossEntropyLoss())
    other = run(nn.LogSoftmax(dim=1), nn.NLLLoss())
    difference = (one.weight - other.weight).abs().max() / one.weight.abs().max()
    right = (one.scores(X).argmax(1) == y).double().mean()
    above = one.trace.value[-1] - best.certificate.lower_bound
    return Three(best.certificate, above, float(right), _same(one, other), float(difference))
