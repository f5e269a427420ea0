"""Mini-batch gradients around the full one: is it the batch size?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sightline.objective import Objective, Weights
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, number, percent
from sightline.show.plane import free_weights, weight_names
from sightline.show.themes import MARKERS, Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 600  # batches drawn of each size
SIZES = 3


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Gradients of the batches of one size: places x and y; ``uphill`` : share of them whose step raises the loss to
    first order; ``spread`` : root mean square distance from the full gradient."""

    size: int
    x: list[float]
    y: list[float]
    uphill: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class GradientNoise(Picture):
    """Gradients of mini-batches at given weights, in a plane.

    full : the gradient on all rows, (x, y).  The optimum is where that is zero: at the origin.
    across_full : the x axis runs along the full gradient and y across it, in the direction in which batches differ
    most; else the axes are the two weights.  share : of the batches' squared spread that the plane holds.
    at : 'step 100' or the like, where the gradients were taken.
    """

    kind = "gradient_noise"
    batches: list[Batches]
    full: list[float]
    across_full: bool
    share: float
    x_name: str
    y_name: str
    at: str

    @classmethod
    def of(
        cls,
        path: Trajectory,
        batch_size: int | Sequence[int] | None = None,
        step: int | None = None,
        seed: int | None = None,
    ) -> GradientNoise:
        """Batch gradients at a step of a training (the recorded one nearest to ``step``, None for the last)."""
        objective = path.objective
        sizes = _sizes(path, batch_size)
        if not path.finite:
            raise PictureError("gradient_noise needs weights at which to take gradients: give a training.")
        place = path.finite - 1
        if step is not None:
            place = min(range(path.finite), key=lambda i: abs(path.steps[i] - step))
        rows = path.factor * row_gradients(objective, path.weights[place])
        full = _mean(objective, rows, torch.arange(objective.n))
        clouds = [batch_gradients(objective, rows, size, seed) for size in sizes]
        free = free_weights(objective)
        deviations = torch.cat([c - full for c in clouds])
        basis, across = _axes(full, deviations, free)
        total = float(deviations.square().sum())
        share = float((deviations @ basis.T).square().sum()) / total if total > 0 else 1.0
        found = []
        for size, cloud in zip(sizes, clouds, strict=True):
            xy = cloud @ basis.T
            uphill = float((cloud @ full < 0).double().mean())
            spread = float((cloud - full).square().sum(1).mean().sqrt())
            found.append(
                Batches(size=size, x=xy[:MOST, 0].tolist(), y=xy[:MOST, 1].tolist(), uphill=uphill, spread=spread)
            )
        names = ["along the full gradient", "across it"]
        if not across:
            names = [f"by the {n}" if objective.data.columns is None else n for n in weight_names(objective)[:2]]
        unit, clock = path.clock
        at = f"{unit} {number(clock[place], 6)}"
        center = (basis @ full).tolist()
        return cls(
            batches=found, full=center, across_full=across, share=share, x_name=f"gradient {names[0]}",
            y_name=f"gradient {names[1]}", at=at, **_words(path, found, full, at, share),
        )  # fmt: skip


def _sizes(path: Trajectory, batch_size: int | Sequence[int] | None) -> list[int]:
    n = path.objective.n
    if batch_size is None:
        if path.batch == 0:
            raise PictureError("how many rows the loader's batches had was not recorded: say it, batch_size=10.")
        if path.batch is None or path.batch >= n:
            raise PictureError(
                "this training uses all rows at each step, so its gradients have no noise;"
                " say which batches to look at: batch_size=10, or batch_size=(1, 10)."
            )
        batch_size = path.batch
    sizes = [batch_size] if isinstance(batch_size, int) else list(batch_size)
    if not 1 <= len(sizes) <= SIZES or not all(isinstance(s, int) and 1 <= s <= n for s in sizes):
        raise PictureError(f"batch_size={batch_size!r}; give one to {SIZES} whole numbers from 1 to the {n} rows.")
    return sizes


def row_gradients(objective: Objective, weights: Weights) -> Tensor:
    """(n, P) gradient of each row's loss, in the layout of ``Weights.flat``; no penalty, no row weights."""
    X = objective.data.design.to_dense().double()
    dual = objective.loss.gradient(objective.scores(weights), objective.data.y)
    ones = X.new_ones(len(X), 1) if objective.intercept else X.new_zeros(len(X), 1)
    wide = torch.cat([X, ones], 1)
    rows = dual[:, None] * wide if dual.ndim == 1 else (dual[:, :, None] * wide[:, None]).reshape(len(X), -1)
    penalty = objective.ridge.repeat(objective.outputs or 1) * weights.flat()
    return (rows + penalty).cpu()


def _mean(objective: Objective, rows: Tensor, index: Tensor) -> Tensor:
    """Weighted mean gradient of some rows."""
    weight = objective.data.weight
    if weight is None:
        return rows[index].mean(0)
    w = weight.cpu()[index]
    return (w / w.sum()) @ rows[index]


def batch_gradients(objective: Objective, rows: Tensor, size: int, seed: int | None) -> Tensor:
    """(batches, P) gradients of consecutive batches, the rows in their order or shuffled with a seed."""
    order = torch.arange(objective.n)
    if seed is not None:
        order = torch.randperm(objective.n, generator=torch.Generator().manual_seed(seed))
    return torch.stack([_mean(objective, rows, part) for part in order.split(size)])


def _axes(full: Tensor, deviations: Tensor, free: list[int]) -> tuple[Tensor, bool]:
    """(2, P) orthonormal rows, and whether the first is the full gradient's direction."""
    if len(free) == 2:
        basis = torch.zeros((2, len(full)), dtype=torch.float64)
        basis[0, free[0]] = basis[1, free[1]] = 1.0
        return basis, False
    if len(free) < 2:
        raise PictureError("gradient_noise needs two weights; this model has one.")
    size = float(full.norm())
    noise = float(deviations.square().sum(1).mean().sqrt())
    if size > 1e-9 * noise and size > 0:
        along = full / size
    else:  # at the optimum the full gradient has no direction; then the batches' main one takes its place
        along = torch.linalg.svd(deviations, full_matrices=False)[2][0]
    rest = deviations - (deviations @ along)[:, None] * along
    across = torch.linalg.svd(rest, full_matrices=False)[2][0]
    across = across - (across @ along) * along
    if float(across.norm()) < 1e-6:
        spare = torch.zeros_like(along)
        spare[free[int(along[free].abs().argmin())]] = 1.0
        across = spare - (spare @ along) * along
    return torch.stack([along, across / across.norm()]), True


def _words(path: Trajectory, found: list[Batches], full: Tensor, at: str, share: float) -> dict[str, str]:
    size = float(full.norm())
    first = found[0]
    ratio = first.spread / size if size else math.inf
    rows = "single rows" if first.size == 1 else f"batches of {first.size}"
    if ratio < 0.01:
        title = f"At {at} {rows} agree with the full gradient"
    else:
        title = f"At {at} the noise of {rows} is {number(ratio, 2)} times the gradient"
    uphill = "; ".join(
        f"{percent(b.uphill)} of {'rows' if b.size == 1 else f'batches of {b.size}'} point uphill" for b in found
    )
    parts = [f"{path.label}."] if path.label else []
    parts.append(f"{uphill[0].upper()}{uphill[1:]}." if uphill else "")
    if share < 0.9995:
        parts.append(f"The plane holds {percent(share)} of the noise.")
    subtitle = " ".join(p for p in parts if p)
    told = f"Gradients of mini-batches around the full gradient of length {number(size)}, at {at}. {title}. {subtitle}"
    return {"title": title, "subtitle": subtitle, "alternative": f"{told} At the optimum the full gradient is zero."}


def gradient_noise(
    source: Any,
    data: Any = None,
    *,
    batch_size: int | Sequence[int] | None = None,
    step: int | None = None,
    seed: int | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The gradient of each mini-batch around that of all rows, at one step: where batches point uphill (into the
    shaded half), the noise is larger than what there is to learn. The star is the optimum's full gradient: zero.

    source, data, ax, theme : as ``loss_surface``.
    batch_size : rows of a batch, or up to three such numbers to compare; None for the training's own.
    step : the recorded step nearest to it; None for the last.  seed : shuffles the rows; None takes their order.

    More than two weights: across, the direction of the full gradient; up, the direction in which batches differ most.

    Raises
    ------
    PictureError : no steps, a model of one weight, or all rows at each step and no batch_size.
    """
    return draw(GradientNoise.of(trajectory(source, data), batch_size, step, seed), ax, theme)


def draw(picture: GradientNoise, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the batches' gradients as dots, the full one as an arrow from the origin."""
    ax, look = canvas.prepared(ax, theme)
    handles: list[Any] = []
    for i, b in enumerate(picture.batches):
        name = "single rows" if b.size == 1 else f"batches of {b.size}"
        handles += ax.plot(
            b.x, b.y, linestyle="none", marker=MARKERS[i], markersize=3.5 if len(b.x) > 150 else 5.5,
            color=look.series[i], alpha=0.6, markeredgewidth=0, zorder=3 + i, label=f"{name} ({len(b.x)})",
        )  # fmt: skip
    fx, fy = picture.full
    handles.append(canvas.arrow(ax, look, fx, fy, "all rows"))
    handles.append(canvas.star(ax, look, [0.0], [0.0], text="at the optimum: zero"))
    _limits(ax, picture)
    _shade(ax, look, picture)
    canvas.label(ax, look, picture.x_name, picture.y_name)
    canvas.entitle(ax, look, picture)
    handles.append(canvas.patch(look, "uphill", 0.12, look.alarm))
    canvas.legend(ax, look, handles, columns=3)
    return ax


def _limits(ax: Axes, picture: GradientNoise) -> None:
    for values, which in (([v for b in picture.batches for v in b.x] + [0.0, picture.full[0]], "x"),
                          ([v for b in picture.batches for v in b.y] + [0.0, picture.full[1]], "y")):  # fmt: skip
        room = 0.07 * (max(values) - min(values)) or 1.0
        (ax.set_xlim if which == "x" else ax.set_ylim)(min(values) - room, max(values) + room)


def _shade(ax: Axes, look: Theme, picture: GradientNoise) -> None:
    """The half-plane of gradients that point away from the full one."""
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    fx, fy = picture.full if any(picture.full) else (1.0, 0.0)
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    shape = []
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        a, b = fx * x0 + fy * y0, fx * x1 + fy * y1
        if a < 0:
            shape.append((x0, y0))
        if (a < 0) != (b < 0):
            t = a / (a - b)
            shape.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))
    if shape:
        ax.fill(*zip(*shape, strict=True), color=look.alarm, alpha=0.12, linewidth=0, zorder=0)
