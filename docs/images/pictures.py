"""The images of docs/pictures.md: ``make pictures`` (or ``python docs/images/pictures.py [FOLDER]``).

Every one is drawn from trainings that run here, on the data of the founding cases.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

import sightline as sl


def line(batch_size: int | None, epochs: int = 10) -> Any:
    """y = x - 1 with noise, from (-15, -10)."""
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1)[:, None]
    y = x - 1 + 0.1 * torch.randn(x.shape)
    linear = torch.nn.Linear(1, 1)
    with torch.no_grad():
        linear.weight.fill_(-15.0)
        linear.bias.fill_(-10.0)
    return sl.train(linear, (x, y), torch.nn.MSELoss(), sl.Recipe("sgd", lr=0.01, epochs=epochs, batch_size=batch_size))


def iris(recipe: sl.Recipe) -> Any:
    """Virginica or not, four columns without intercept."""
    X, y = load_iris(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, test_size=0.33, random_state=42)
    torch.manual_seed(0)
    start = torch.randn(4)
    linear = torch.nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        linear.weight.copy_(start)
    data = (torch.from_numpy(X).float(), torch.from_numpy(y == 2).float()[:, None])
    return sl.train(linear, data, torch.nn.BCEWithLogitsLoss(), recipe)


def two_points() -> Any:
    """(3, 2) and (1, 1)."""
    X, y = torch.tensor([[3.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0], [0.0]])
    recipe = sl.Recipe("sgd", lr=0.1, epochs=1000, start="zeros")
    return sl.train(torch.nn.Linear(2, 1), (X, y), torch.nn.BCEWithLogitsLoss(), recipe)


def noisy(loss: Any, epochs: int = 300) -> Any:
    """A hundred rows of ten columns, a fifth of the labels wrong."""
    rng = np.random.RandomState(0)  # noqa: NPY002 - the draws of the case as posted
    g = rng.normal(size=10) / np.sqrt(10)
    X = rng.normal(size=(100, 10)).astype(np.float32) / np.sqrt(10).astype(np.float32)
    label = X @ g > 0
    flips = rng.choice(100, 20, replace=False)
    label[flips] = ~label[flips]
    data = (torch.from_numpy(X), torch.from_numpy(label).float()[:, None])
    return sl.train(torch.nn.Linear(10, 1), data, loss, sl.Recipe("sgd", lr=0.5, epochs=epochs, start="zeros"))


def pictures() -> dict[str, Any]:
    """Name of the file -> what draws it in a theme."""
    show = sl.show
    straight = {n: line(n) for n in (1, 5, 10)}
    sgd = iris(sl.Recipe("sgd", lr=0.1, batch_size=33, epochs=100))
    others = [
        iris(sl.Recipe("sgd", lr=0.1, momentum=0.9, batch_size=33, epochs=100)),
        iris(sl.Recipe("adam", lr=0.1, batch_size=33, epochs=100)),
        iris(sl.Recipe("lbfgs", lr=1.0, history_size=10, epochs=12)),
    ]
    two, labels = two_points(), noisy(torch.nn.BCEWithLogitsLoss())
    return {
        "loss_surface": lambda: show.loss_surface(straight[10]),
        "loss_surface_3d": lambda: show.loss_surface_3d(straight[1]),
        "slice": lambda: show.loss_surface(sgd),
        "race": lambda: show.race(sgd, *others),
        "decision_boundary": lambda: show.decision_boundary(two),
        "gap": lambda: show.gap(sgd, *others),
        "norm_and_direction": lambda: show.norm_and_direction(two),
        "coefficients": lambda: show.coefficients(sgd),
        "curvature": lambda: show.curvature(sgd),
        "gradient_noise": lambda: show.gradient_noise(straight[10], batch_size=(1, 10)),
        "loss_of_score": lambda: show.loss_of_score(
            labels, losses={"hinge": "hinge", "as posted": lambda z, y: -(2 * y - 1) * z}
        ),
        "probabilities": lambda: show.probabilities(labels, recall=0.9),
        "calibration": lambda: show.calibration(labels),
        "precision_recall": lambda: show.precision_recall(labels, recall=0.9),
        "parameter_and_data": lambda: show.parameter_and_data(straight[5]),
    }  # fmt: skip


def main(folder: str = "") -> None:
    """Write all of them, and the animation; the race in dark besides."""
    place = Path(folder) if folder else Path(__file__).parent
    place.mkdir(parents=True, exist_ok=True)
    drawn = pictures()
    for name, draw in drawn.items():
        sl.show.save(draw(), place / f"{name}.png")
    with sl.show.theme("dark"):
        sl.show.save(drawn["race"](), place / "race_dark.png")
    sl.show.animate(line(5), path=place / "animation.gif", frames=36, dpi=80)


if __name__ == "__main__":
    main(*sys.argv[1:])
