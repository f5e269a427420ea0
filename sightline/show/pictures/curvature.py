"""Curvatures, 2/L and the progress in each eigen-direction: which learning rate can work?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sightline.objective import Objective, Weights
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, count, number
from sightline.show.pictures.loss_surface import passed
from sightline.show.plane import free_weights
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLAT = 1e-13  # of the largest curvature: below it a direction has none but rounding's
LEAST = 1e-4  # share still to go below which a direction is drawn as done
PLAIN = ("sgd", "vanilla")


@dataclass(frozen=True, kw_only=True)
class Curvature(Picture):
    """Eigen-directions of the Hessian at the optimum (without one, at the last weights).

    curvature : eigenvalues of what was trained, rising (the loss's own units: that of ``nn.MSELoss`` is twice ours).
    to_go : share of the way from start to optimum that is still to go along each; None without optimum or steps.
    rate : learning rate, or None.  limit : 2 / rate, the largest curvature with which plain gradient descent converges.
    L : the largest curvature that the loss has anywhere, None where it has no bound: with a rate below 2 / L plain
    gradient descent converges from everywhere, and with one above 2 / (largest of ``curvature``) from nowhere.
    condition : largest over smallest of ``curvature``.
    steps : number of steps taken.  needed : steps of plain gradient descent with this rate until the flattest
    direction has a hundredth of its way to go; None where the rate cannot work.
    plain : the training is plain gradient descent on all rows, so that |1 − rate · curvature|^steps foretells it.
    """

    kind = "curvature"
    curvature: list[float]
    to_go: list[float] | None
    rate: float | None
    limit: float | None
    L: float | None
    condition: float
    steps: int
    needed: int | None
    plain: bool
    at_optimum: bool
    label: str

    @classmethod
    def of(cls, path: Trajectory, rate: float | None = None) -> Curvature:
        """The curvatures a training met; ``rate`` : learning rate to judge, None for its own."""
        objective, best = path.objective, path.optimum
        if not objective.loss.smooth:
            raise PictureError(f"the {objective.loss} loss has no curvature: it is made of straight pieces.")
        at = best.weights if best.weights is not None else path.last()
        values, vectors = eigen_directions(objective, at)
        values = values * path.factor
        keep = values > FLAT * float(values[-1])
        if not bool(keep.any()):
            raise PictureError("the loss is flat here in every direction: its curvatures are zero.")
        values, vectors = values[keep], vectors[:, keep]
        rate = path.rate if rate is None else rate
        to_go = None
        if best.weights is not None and path.finite > 1:
            goal = best.weights.flat().cpu()
            first, last = ((path.flat[i].cpu() - goal) @ vectors for i in (0, path.finite - 1))
            to_go = (last.abs() / first.abs().clamp(min=1e-300)).tolist()
        high, low = float(values[-1]), float(values[0])
        L = largest_anywhere(objective)
        L = None if L is None else max(L * path.factor, high)
        steps = path.steps[path.finite - 1] if path.finite else 0
        needed = None
        if rate is not None and 0 < rate < 2 / high:
            needed = math.ceil(math.log(100) / -math.log(max(abs(1 - rate * low), abs(1 - rate * high))))
        # Parameters that the data do not reach have no part in this, nor has momentum or scaling by gradients.
        plain = path.optimizer in PLAIN and (path.batch is None or path.batch >= objective.n)
        return cls(
            curvature=values.tolist(), to_go=to_go, rate=rate, limit=None if rate is None else 2 / rate,
            L=L, condition=high / low, steps=steps, needed=needed, plain=plain,
            at_optimum=best.weights is not None, label=path.label, **_words(path, values, to_go, rate, needed, L),
        )  # fmt: skip


def eigen_directions(objective: Objective, weights: Weights) -> tuple[Tensor, Tensor]:
    """Eigenvalues (r,), rising, and eigenvectors (P, r) of the Hessian of the smooth part at given weights, over the
    weights that may move.  Softmax: among weights that add up to zero over the classes."""
    H = objective.hessian(objective.evaluate(weights)).cpu()
    free = free_weights(objective)
    if objective.outputs is not None and not objective.loss.quadratic:
        # ``Objective.hessian`` fills the direction that all classes share; it is taken out again.
        k, size = objective.outputs, objective.p + 1
        centre = torch.eye(k, dtype=H.dtype) - 1.0 / k
        P = torch.kron(centre, torch.eye(size, dtype=H.dtype))
        H = P @ H @ P
    values, part = torch.linalg.eigh(H[free][:, free])
    vectors = torch.zeros((len(H), len(values)), dtype=H.dtype)
    vectors[free] = part
    return values.clamp(min=0), vectors


def largest_anywhere(objective: Objective) -> float | None:
    """A bound on the largest eigenvalue of the Hessian at any weights: sup loss'' times that of the columns' second
    moments (softmax: Böhning 1992), plus the L2 penalty; attained for the squared loss.  None where there is none."""
    bound = objective.loss.curvature_bound
    if not math.isfinite(bound):
        return None
    ones = torch.full((objective.n,), bound, dtype=torch.float64, device=objective.data.design.device)
    gram = objective.curvature_gram(ones)
    gram.diagonal().add_(objective.ridge)
    if not objective.intercept:
        gram = gram[:-1, :-1]
    return float(torch.linalg.eigvalsh(gram)[-1])


def _words(
    path: Trajectory, values: Tensor, to_go: list[float] | None, rate: float | None, needed: int | None, L: float | None
) -> dict[str, str]:
    high, low = float(values[-1]), float(values[0])
    parts = [f"{path.label}."] if path.label else []
    if rate is not None and rate >= 2 / high:
        title = f"The learning rate {number(rate)} is above {number(2 / high)}: steep directions overshoot"
    elif rate is not None and to_go is not None:
        slow = sum(v > 0.5 for v in to_go)
        title = f"{slow} of {count(len(to_go), 'direction')} less than half way {passed(path)}".strip()
    elif L is not None:
        title = f"Learning rates below 2/L = {number(2 / L)} work from everywhere"
    else:
        title = f"Near the optimum learning rates below {number(2 / high)} work"
    parts.append(f"Condition {number(high / low)}" + (f", 2/L = {number(2 / L)}." if L is not None else "."))
    if needed is not None:
        steps = f"{float(f'{needed:.2g}'):,.0f}"
        parts.append(f"At this rate plain gradient descent needs about {steps} steps for 99 % of the flattest way.")
    subtitle = " ".join(parts)
    told = f"{count(len(values), 'curvature')} from {number(low)} to {number(high)}. "
    if to_go is not None:
        told += (
            "Still to go in each direction, from flat to steep: " + ", ".join(number(v, 2) for v in to_go[:12]) + ". "
        )
    return {"title": title, "subtitle": subtitle, "alternative": f"{told}{title}. {subtitle}"}


def curvature(
    source: Any,
    data: Any = None,
    *,
    rate: float | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """Each eigen-direction of the loss by its curvature, and how much of the way to the optimum is still to go in it.

    Flat directions lie left and are slow; those right of the line at 2 / learning rate cannot converge at all; with L,
    the largest curvature that the loss has anywhere, left of it, gradient descent converges from everywhere. The
    curve is what plain gradient descent, |1 − rate · curvature| at each step, has left after as many steps.

    source, data, ax, theme : as ``loss_surface``, of a smooth loss.  rate : learning rate to judge instead of its own.

    Raises
    ------
    PictureError : the loss has no curvature (hinge, quantile), or there is neither an optimum nor a step.
    """
    return draw(Curvature.of(trajectory(source, data), rate), ax, theme)


def draw(picture: Curvature, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the directions."""
    ax, look = canvas.prepared(ax, theme)
    ax.set_xscale("log")
    low, high = picture.curvature[0], picture.curvature[-1]
    edge = max(v for v in (high, picture.L, picture.limit) if v is not None and v < 1e3 * high)
    left, right = low / 3, edge * 3
    handles: list[Any] = []
    if picture.to_go is not None:
        ax.set_yscale("log")
        shown = [min(max(v, LEAST), 1e3) for v in picture.to_go]
        if picture.rate is not None and picture.steps:
            grid = [left * (right / left) ** (i / 400) for i in range(401)]
            bend = [abs(1 - picture.rate * c) for c in grid]
            foretold = [
                min(max(math.exp(min(picture.steps * math.log(b), 50.0)) if b else 0.0, LEAST / 30), 1e4) for b in bend
            ]
            name = f"gradient descent, {count(picture.steps, 'step')} on all rows"
            handles += ax.plot(
                grid, foretold, color=look.soft, linewidth=1.6, linestyle=(0, (5, 2)), label=name, zorder=3
            )
        for c, v in zip(picture.curvature, shown, strict=True):
            ax.plot([c, c], [v, LEAST / 30], color=look.series[0], linewidth=1.2, alpha=0.5, zorder=2)
        handles += ax.plot(
            picture.curvature, shown, linestyle="none", marker="o", markersize=8, color=look.series[0],
            markeredgecolor=look.page, label=picture.label or "training", zorder=6,
        )  # fmt: skip
        ax.axhline(1.0, color=look.soft, linewidth=1.0, zorder=1)
        ax.set_ylim(LEAST / 2, max(3.0, 2 * max(shown)))
        ax.set_xlim(left, right)
        canvas.plain_log(ax.yaxis)
        handles.append(
            canvas.star(ax, look, [math.sqrt(left * low)], [LEAST / 2], text="optimum, nothing to go", clip_on=False)
        )
        y_name = "share of the way still to go"
    else:
        handles += [
            ax.vlines(
                picture.curvature, 0, 1, color=look.series[0], linewidth=2, label="curvature of a direction", zorder=3
            )
        ]
        ax.set_ylim(0, 1.3)
        ax.set_yticks([])
        ax.set_xlim(left, right)
        y_name = ""
    if picture.limit is not None and left < picture.limit < right:
        handles.append(ax.axvline(picture.limit, color=look.alarm, linewidth=1.8, linestyle=(0, (2, 1)), zorder=4,
                                  label=f"2 / learning rate = {number(picture.limit)}"))  # fmt: skip
        ax.axvspan(picture.limit, right, color=look.alarm, alpha=0.12, linewidth=0, zorder=0)
    if picture.L is not None and 1.05 * high < picture.L and left < picture.L < right:
        handles.append(ax.axvline(picture.L, color=look.soft, linewidth=1.4, linestyle=(0, (1, 1)), zorder=3,
                                  label=f"L = {number(picture.L)}, largest anywhere"))  # fmt: skip
    canvas.plain_log(ax.xaxis)
    where = "at the optimum" if picture.at_optimum else "at the last weights"
    canvas.label(ax, look, f"curvature of the loss {where}, by eigen-direction", y_name)
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2)
    return ax
