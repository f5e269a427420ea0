"""Case 4: the line.

Sixty points about y = x - 1, a linear model that starts far off at slope -15 and bias -10, ten epochs of SGD with batch
sizes 1, 5, 10 and all: an exercise of many courses on PyTorch.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.driver import fit
from sightline.recipes import Recipe, Training, train

ROWS = 60
START = {"weight": torch.tensor([[-15.0]]), "bias": torch.tensor([-10.0])}
BATCHES = (1, 5, 10, None)
RATES = (0.01, 0.1)
POSTED = Recipe("sgd", lr=0.01, batch_size=1, epochs=10, start=START)
ENOUGH = 1e-3  # above the optimum


def noisy_line() -> tuple[Tensor, Tensor]:
    """x (60, 1) from -3 to 2.9 and y (60, 1) = x - 1 with noise of standard deviation 0.1, float32."""
    torch.manual_seed(1)
    x = torch.arange(-3, 3, 0.1).view(-1, 1)
    return x, x - 1 + 0.1 * torch.randn(x.size())


@dataclass(frozen=True)
class End:
    """The end of ten epochs: batch size (None for all rows), learning rate, slope, bias, how far the mean squared error
    is above the optimum's, and the number of steps."""

    batch: int | None
    rate: float
    slope: float
    bias: float
    above: float
    steps: int


@dataclass(frozen=True)
class Facts:
    """Numbers of the case.

    slope, bias, error : of the least squares line, and its mean squared error; digits that are proven right.
    eigenvalues : of the curvature of the mean squared error, the smaller first; safe : learning rate beyond which
        full-batch descent diverges, 2 / the larger.  row_safe : the same for single rows, of the one farthest out.
    ends : of the eight runs.  needed : (learning rate, steps) of full-batch descent to within ``ENOUGH``: computed from
        the eigenvalues, and counted in a run.
    module_state, optimizer_state : what the two ``state_dict`` hold after the posted run; momentum_state with momentum.
    resumed : by how much the weights of the posted run differ when it is stopped half way and begun again from the
        module's ``state_dict`` alone; lost : the same with momentum.
    """

    slope: float
    bias: float
    error: float
    digits: float
    eigenvalues: tuple[float, float]
    safe: float
    row_safe: float
    ends: tuple[End, ...]
    needed: tuple[tuple[float, int, int], ...]
    module_state: dict[str, Any]
    optimizer_state: dict[str, Any]
    momentum_state: dict[str, Any]
    resumed: float
    lost: float
    runs: dict[tuple[float, int | None], Training] = field(repr=False, compare=False)


def facts(short: bool = False) -> Facts:
    """Run the case."""
    x, y = noisy_line()
    best = fit(x.double(), y[:, 0].double(), loss="squared")
    slope, bias, error = float(best.weight), float(best.bias), 2 * best.certificate.value
    rows = torch.cat([x, torch.ones_like(x)], 1).double()
    hessian = 2 * rows.T @ rows / len(rows)
    small, large = torch.linalg.eigvalsh(hessian).tolist()
    posted, posted_state = _train(x, y, POSTED)
    momentum = POSTED.but(momentum=0.9, batch_size=10)
    momentum_state = _train(x, y, momentum)[1]
    runs = {
        (rate, batch): _train(x, y, POSTED.but(lr=rate, batch_size=batch))[0] for rate in RATES for batch in BATCHES
    }
    assert posted.module is not None
    return Facts(
        slope=slope, bias=bias, error=error, digits=best.certificate.digits or 0.0,
        eigenvalues=(small, large), safe=2 / large, row_safe=1 / float((x.square() + 1).max()),
        ends=tuple(
            End(batch, rate, float(run.weight), float(run.bias), run.trace.loss[-1] - error, run.n_iter)
            for (rate, batch), run in runs.items()
        ),
        needed=tuple(_needed(x, y, rate, hessian, (slope, bias), error) for rate in RATES),
        module_state={name: tensor.clone() for name, tensor in posted.module.state_dict().items()},
        optimizer_state=posted_state, momentum_state=momentum_state,
        resumed=_lost(x, y, POSTED), lost=_lost(x, y, momentum), runs=runs,
    )  # fmt: skip


def _train(x: Tensor, y: Tensor, recipe: Recipe) -> tuple[Training, dict[str, Any]]:
    """The training, and the ``state_dict`` of its optimizer at the end."""
    seen: list[torch.optim.Optimizer] = []

    def keep(moment: Any) -> None:
        seen[:] = [moment.optimizer]

    run = train(nn.Linear(1, 1), (x, y), nn.MSELoss(), recipe, record="all", callback=keep)
    return run, copy.deepcopy(seen[0].state_dict())


def _needed(
    x: Tensor, y: Tensor, rate: float, hessian: Tensor, best: tuple[float, float], error: float
) -> tuple[float, int, int]:
    """(learning rate, steps computed, steps counted) of full-batch descent to within ``ENOUGH`` of the optimum.

    On a quadratic each eigen-direction shrinks by 1 - rate * eigenvalue a step, whatever the others do.
    """
    values, directions = torch.linalg.eigh(hessian)
    start = torch.stack([START["weight"][0, 0], START["bias"][0]]).double()
    away = directions.T @ (start - torch.tensor(best, dtype=torch.float64))
    computed = 0
    while float((values * (away * (1 - rate * values) ** computed).square()).sum()) / 2 > ENOUGH:
        computed += 1
    run = train(nn.Linear(1, 1), (x, y), nn.MSELoss(), POSTED.but(lr=rate, batch_size=None, epochs=computed + 20))
    counted = next(step for step, loss in zip(run.trace.step, run.trace.loss) if loss - error <= ENOUGH)
    return rate, computed, counted


def _lost(x: Tensor, y: Tensor, recipe: Recipe) -> float:
    """How far a run that is stopped half way and begun again from the module's state alone ends from one in one go."""
    whole, half = nn.Linear(1, 1), nn.Linear(1, 1)
    train(whole, (x, y), nn.MSELoss(), recipe, certify=False)
    part = recipe.but(epochs=recipe.epochs // 2)
    train(half, (x, y), nn.MSELoss(), part, certify=False)
    state = {name: tensor.clone() for name, tensor in half.state_dict().items()}
    train(half, (x, y), nn.MSELoss(), part.but(start=state), certify=False)
    pairs = zip(whole.parameters(), half.parameters())
    return max(float((p - q).detach().abs().max()) for p, q in pairs)
