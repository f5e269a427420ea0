"""``python -m bench.sensitivity``: how far the compiled engine's weights are from the exact engine's, in float32.

Trainings on all rows at once, by optimizer and by learning rate in units of 2 / (largest curvature), the rate beyond
which gradient descent overshoots.  Beside it: the exact engine against itself, with the columns in another order, which
changes nothing but the order in which it sums.  Differences are relative to the largest weight.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sightline import Recipe, train

STEPS = (100, 1000, 3000)
RATES = {"sgd": (0.5, 0.95, 1.5, 4.0, 40.0), "adam": (0.001, 0.01, 0.1), "rmsprop": (0.001, 0.01)}


def fahrenheit() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.arange(-100.0, 100.0).reshape(-1, 1)
    return x, (x > 32).float()


def noisy() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    X = torch.randn(200, 8, generator=draw)
    y = X.sum(1, keepdim=True) + 2 * torch.randn(200, 1, generator=draw) > 0
    return X, y.float()


def curvature(X: torch.Tensor) -> float:
    """Largest of the mean logistic loss: that of the columns and the intercept over four."""
    whole = torch.cat([X, torch.ones(len(X), 1)], 1).double()
    return float(torch.linalg.matrix_norm(whole, 2)) ** 2 / (4 * len(X))


def weights(X: torch.Tensor, y: torch.Tensor, recipe: Recipe, order: torch.Tensor, engine: str) -> torch.Tensor:
    """After the training, with the columns in this order, in their own."""
    torch.manual_seed(0)
    module = nn.Linear(X.shape[1], 1)
    with torch.no_grad():
        module.weight.copy_(module.weight[:, order])
    result = train(module, (X[:, order].contiguous(), y), nn.BCEWithLogitsLoss(), recipe, engine=engine, record="ends")
    if not result.engine.startswith(engine):
        print(f"  ({result.engine})")
    return torch.cat([module.weight.detach()[0, order.argsort()], module.bias.detach()]).double()


def main() -> None:
    """Print the table."""
    print(f"{'rows':12}{'optimizer':11}{'rate':>7}{'steps':>7}{'compiled':>11}{'reordered':>11}")
    rows: dict[str, Any] = {"fahrenheit": fahrenheit(), "8 columns": noisy()}
    for name, (X, y) in rows.items():
        own, turned = torch.arange(X.shape[1]), torch.arange(X.shape[1]).flip(0)
        for optimizer, rates in RATES.items():
            for rate in rates:
                for steps in STEPS:
                    lr = rate * 2 / curvature(X) if optimizer == "sgd" else rate
                    recipe = Recipe(optimizer, lr=lr, epochs=steps)
                    exact = weights(X, y, recipe, own, "exact")
                    others = ((own, "compiled"), (turned, "exact"))
                    off = [weights(X, y, recipe, order, engine) - exact for order, engine in others]
                    size = float(exact.abs().max())
                    compiled, reordered = (float(d.abs().max()) / size for d in off)
                    said = f"{reordered:11.0e}" if X.shape[1] > 1 else f"{'':>11}"
                    print(f"{name:12}{optimizer:11}{rate:7g}{steps:7,}{compiled:11.0e}{said}", flush=True)


if __name__ == "__main__":
    main()
