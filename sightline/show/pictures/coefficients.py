"""Coefficients beside the optimum's, with intervals: what is still wrong?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sightline.inference import standard_errors
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, count, number
from sightline.show.pictures.loss_surface import passed
from sightline.show.plane import free_weights, weight_names
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 24  # coefficients drawn
NORMAL = 1.959963984540054  # the 97.5 % point of the normal distribution
UNLIKE = 30.0  # ratio of the columns' spreads from which coefficients are drawn for one standard deviation


@dataclass(frozen=True, kw_only=True)
class Coefficients(Picture):
    """Weights beside those of the certified optimum.

    names, trained, optimum : one entry a coefficient; optimum None where there is none.  low, high : its 95 % interval,
    None where there are none, and then ``reason`` says why.  per : 'unit' or 'standard deviation' of a column.
    left_out : how many are not drawn: those nearest to the optimum's.
    """

    kind = "coefficients"
    names: list[str]
    trained: list[float]
    optimum: list[float] | None
    low: list[float] | None
    high: list[float] | None
    reason: str
    per: str
    left_out: int
    label: str

    @classmethod
    def of(cls, path: Trajectory, per: str | None = None) -> Coefficients:
        """The last coefficients of a training; ``per`` None chooses by the columns' spreads."""
        if per not in (None, "unit", "standard deviation"):
            raise PictureError(f"per={per!r}; choose 'unit' or 'standard deviation'.")
        objective, best = path.objective, path.optimum
        spread = column_spread(path)
        moving = spread[spread > 0]
        if per is None:
            unlike = len(moving) > 1 and float(moving.max() / moving.min()) > UNLIKE
            per = "standard deviation" if unlike else "unit"
        scale = torch.cat([spread if per != "unit" else torch.ones_like(spread), torch.ones(1, dtype=torch.float64)])
        scale = scale.repeat(objective.outputs or 1)
        free = free_weights(objective)
        trained = ((path.last() if len(path) else best.weights or path.last()).flat().cpu() * scale)[free]
        goal = None if best.weights is None else (best.weights.flat().cpu() * scale)[free]
        half, reason = None, "there is no optimum whose neighbourhood could tell them"
        if best.weights is not None:
            errors = standard_errors(objective, best.weights)
            reason = errors.reason or ""
            if errors.coef is not None and errors.intercept is not None:
                flat = type(best.weights)(errors.coef, errors.intercept).flat().cpu()
                half = (_factor(path) * flat * scale)[free]
        names = [n.removeprefix("weight of ") for n in weight_names(objective)]
        order = _chosen(trained, goal)
        return cls(
            names=[names[i] for i in order], trained=trained[order].tolist(),
            optimum=None if goal is None else goal[order].tolist(),
            low=None if half is None or goal is None else (goal - half)[order].tolist(),
            high=None if half is None or goal is None else (goal + half)[order].tolist(),
            reason=reason, per=per, left_out=len(names) - len(order), label=path.label,
            **_words(path, trained, goal, half, names, reason),
        )  # fmt: skip


def _factor(path: Trajectory) -> float:
    """Half width of a 95 % interval in standard errors: normal, or Student's t for least squares."""
    objective = path.objective
    if not objective.loss.quadratic:
        return NORMAL
    from scipy.special import stdtrit

    return float(stdtrit(objective.data.total_weight - objective.p - int(objective.intercept), 0.975))


def column_spread(path: Trajectory) -> Tensor:
    """Standard deviation of each column over the weighted rows, (p,)."""
    X = path.objective.data.design.to_dense().double()
    weights = path.objective.weighted(torch.ones(len(X), dtype=torch.float64, device=X.device))
    mean = weights @ X
    return (weights @ (X - mean).square()).sqrt().cpu()


def _chosen(trained: Tensor, goal: Tensor | None) -> Tensor:
    """Which coefficients are drawn, in their order: all of few, else those farthest from the optimum's (or largest)."""
    if len(trained) <= MOST:
        return torch.arange(len(trained))
    size = trained.abs() if goal is None else (trained - goal).abs()
    return size.topk(MOST).indices.sort().values


def _words(
    path: Trajectory, trained: Tensor, goal: Tensor | None, half: Tensor | None, names: list[str], reason: str
) -> dict[str, str]:
    parts = [f"{path.label}."] if path.label else []
    if goal is None:
        title = f"There is no optimum to compare with: the weights may grow for ever {passed(path)}".strip()
    else:
        off = (trained - goal).abs()
        worst = int(off.argmax())
        if float(off.max()) > 0:
            title = (
                f"Farthest off: {names[worst]}, {number(float(trained[worst]))} instead of {number(float(goal[worst]))}"
            )
        else:
            title = "The coefficients at the optimum"
        if half is not None:
            parts.append(
                f"{int((off > half).sum())} of {len(off)} outside the optimum's 95 % interval {passed(path)}".strip()
                + "."
            )
    if half is None:
        parts.append(f"No intervals: {reason}.")
    left = len(trained) - MOST
    if left > 0:
        parts.append(f"{count(left, 'coefficient')} nearer to the optimum left out.")
    subtitle = " ".join(parts)
    pairs = [
        f"{names[i]} {number(float(trained[i]))}" + ("" if goal is None else f" (optimum {number(float(goal[i]))})")
        for i in _chosen(trained, goal).tolist()
    ]
    return {
        "title": title,
        "subtitle": subtitle,
        "alternative": f"Coefficients: {', '.join(pairs)}. {title}. {subtitle}",
    }


def coefficients(
    source: Any, data: Any = None, *, per: str | None = None, ax: Axes | None = None, theme: str | Theme | None = None
) -> Axes:
    """The trained coefficients beside those of the certified optimum and their 95 % intervals.

    source, data, ax, theme : as ``loss_surface``.
    per : draw coefficients for one 'unit' or one 'standard deviation' of their column; None takes the latter where the
        columns' spreads differ by more than 30 times.

    Intervals are those of likelihood theory at the optimum (see ``sightline.inference``); where it gives none the
    picture says why. Of more than 24 coefficients those farthest from the optimum's are drawn.

    Raises
    ------
    PictureError : what is missing.
    """
    return draw(Coefficients.of(trajectory(source, data), per), ax, theme)


def draw(picture: Coefficients, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw one row a coefficient."""
    n = len(picture.names)
    ax, look = canvas.prepared(ax, theme, (canvas.SIZE[0], 2.0 + 0.27 * max(n, 4)))
    rows = list(range(n))
    handles: list[Any] = []
    ax.axvline(0, color=look.soft, linewidth=1, zorder=1)
    if picture.low is not None and picture.high is not None:
        handles += [
            ax.hlines(rows, picture.low, picture.high, color=look.soft, linewidth=5, alpha=0.45, label="95 % interval")
        ]
    if picture.optimum is not None:
        for row, there, own in zip(rows, picture.optimum, picture.trained, strict=True):
            ax.plot([there, own], [row, row], color=look.series[0], linewidth=1.2, linestyle=(0, (2, 1.5)), zorder=2)
        handles.append(canvas.star(ax, look, picture.optimum, rows, size=12))
    handles += ax.plot(
        picture.trained, rows, linestyle="none", marker="o", markersize=7, color=look.series[0],
        markeredgecolor=look.page, label=picture.label or "trained", zorder=8,
    )  # fmt: skip
    ax.set_yticks(rows, labels=[canvas.short(name, 22) for name in picture.names], parse_math=False)
    ax.tick_params(axis="y", length=0, labelcolor=look.ink)
    ax.set_ylim(n - 0.5, -0.5)
    shown = [v for part in (picture.trained, picture.optimum, picture.low, picture.high) for v in part or []]
    room = 0.05 * (max([*shown, 0.0]) - min([*shown, 0.0])) or 1.0
    if all(math.isfinite(v) for v in shown):
        ax.set_xlim(min([*shown, 0.0]) - room, max([*shown, 0.0]) + room)
    unit = "one unit" if picture.per == "unit" else "one standard deviation"
    canvas.label(ax, look, f"coefficient (change of the score for {unit} of its column)", "")
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=3)
    return ax
