"""Loss surface and path: where am I, where is the minimum?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.show import canvas
from sightline.show.picture import Picture, number, percent
from sightline.show.plane import Plane, filled_in, grid_size, grid_values, plane_of, view
from sightline.show.themes import DASHES, MARKERS, Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = 14
DEPTH = 3.5  # decades of height above the lowest value that contours resolve
DOTS = 40  # steps that are all marked; of more, as many by equal ratios


@dataclass(frozen=True, kw_only=True)
class Path:
    """Steps on a surface: places x and y, heights ``value`` on the surface, ``steps`` and ``clock`` (epochs, or the
    step numbers).  ``inside`` : how many of them the view holds before the path first leaves it."""

    label: str
    x: list[float]
    y: list[float]
    value: list[float]
    steps: list[int]
    clock: list[float]
    inside: int


@dataclass(frozen=True, kw_only=True)
class LossSurface(Picture):
    """The objective over a plane of weights, with paths.

    x, y : places of the grid along its axes.  value : value[i][j] at (x[j], y[i]).  levels : heights of the contours,
    closer together towards the minimum.  paths : the trainings.
    optimum : its place (x, y), None where there is none; then ``ray`` is the direction of the widest margin from the
    origin, where the axes are the weights.  lowest : the optimum's value, or the infimum.
    share : of the motion that the plane holds; None where the axes are all the weights there are.
    unit : 'epoch' or 'step', of the paths' clocks.
    """

    kind = "loss_surface"
    x: list[float]
    y: list[float]
    value: list[list[float]]
    levels: list[float]
    x_name: str
    y_name: str
    value_name: str
    paths: list[Path]
    optimum: list[float] | None
    ray: list[float] | None
    lowest: float
    share: float | None
    unit: str

    @classmethod
    def of(cls, paths: Sequence[Trajectory], plane: Plane | None = None) -> LossSurface:
        """The surface of the first path's problem, seen so that all paths are on it."""
        objective, best = paths[0].objective, paths[0].optimum
        plane = plane or plane_of(paths)
        points = [plane.coordinates(p.flat[: p.finite].cpu()) for p in paths]
        centre = None if best.weights is None else plane.coordinates(best.weights.flat().cpu()[None])[0]
        starts = [p[0] for p in points if len(p)]
        everything = torch.cat([*points, *([centre[None]] if centre is not None else [torch.zeros((1, 2)).double()])])
        far = max(starts, key=lambda s: float((s - centre).norm())) if starts and centre is not None else None
        if not starts and centre is not None:
            everything = centre + torch.tensor([[-1.0], [1.0]], dtype=torch.float64) * (centre.abs() + 1)
        left, right, bottom, top = view(everything, centre, far if starts else None)
        size = grid_size(objective)
        xs, ys = np.linspace(left, right, size), np.linspace(bottom, top, size)
        xs, ys, values = filled_in(xs, ys, paths[0].factor * grid_values(objective, plane, xs, ys))
        lowest = paths[0].lowest if centre is not None else float(values[np.isfinite(values)].min())
        clock = paths[0].clock[0]
        drawn = [_path(p, place, plane, (left, right, bottom, top)) for p, place in zip(paths, points, strict=True)]
        ray = None
        if centre is None and plane.share is None and best.margin is not None:
            ray = plane.coordinates(best.margin.flat().cpu()[None])[0].tolist()
        words = _words(drawn, paths, plane, lowest if centre is not None else paths[0].lowest, centre is not None)
        return cls(
            x=xs.tolist(), y=ys.tolist(), value=values.tolist(), levels=_levels(values, lowest),
            x_name=plane.names[0], y_name=plane.names[1], value_name=value_name(paths[0]), paths=drawn,
            optimum=None if centre is None else centre.tolist(), ray=ray,
            lowest=lowest if centre is not None else paths[0].lowest, share=plane.share, unit=clock, **words,
        )  # fmt: skip


def _path(path: Trajectory, place: torch.Tensor, plane: Plane, box: tuple[float, float, float, float]) -> Path:
    objective, zeros = path.objective, path.objective.zeros()
    heights = [
        path.factor * objective.value(zeros.unflat(plane.origin + a * plane.across + b * plane.up)) for a, b in place
    ]
    left, right, bottom, top = box
    out = ((place[:, 0] < left) | (place[:, 0] > right) | (place[:, 1] < bottom) | (place[:, 1] > top)).nonzero()
    inside = int(out[0]) if len(out) else len(place)
    return Path(
        label=path.label, x=place[:, 0].tolist(), y=place[:, 1].tolist(), value=heights,
        steps=path.steps[: path.finite], clock=path.clock[1][: path.finite], inside=inside,
    )  # fmt: skip


def _levels(values: np.ndarray, lowest: float) -> list[float]:
    """Heights whose distance from the lowest value grows in equal ratios."""
    height = values[np.isfinite(values)] - lowest
    high = float(np.quantile(height, 0.985))
    low = max(high * 10**-DEPTH, float(np.quantile(height, 0.003)), 1e-300)
    if not high > low:
        return [lowest, lowest + max(high, 1e-12)]
    return [lowest, *(lowest + np.geomspace(low, high, LEVELS)).tolist()]


def value_name(path: Trajectory) -> str:
    """The objective in a few words."""
    names = {"squared": "squared error" if path.factor == 2 else "½ squared error", "softmax": "cross-entropy"}
    loss = names.get(path.objective.loss.name, f"{path.objective.loss.name.replace('_', ' ')} loss")
    if path.factor not in (1, 2) or (path.factor == 2 and path.objective.loss.name != "squared"):
        loss += f" · {number(path.factor)}"
    return f"mean {loss}" + (" + penalty" if path.objective.penalty.l1 or bool(path.objective.ridge.any()) else "")


def height_of_end(path: Trajectory, lowest: float) -> float:
    """How far the last finite step is above the lowest value; inf where none is finite."""
    return max(path.values[path.finite - 1] - lowest, 0.0) if path.finite else math.inf


def passed(path: Trajectory) -> str:
    """'after 100 epochs' of a training."""
    unit, clock = path.clock
    return f"after {number(clock[-1], 4)} {unit}{'' if clock[-1] == 1 else 's'}" if clock and clock[-1] else ""


def outcome(path: Trajectory, lowest: float, where: str) -> str:
    """'0.133 above the optimum after 100 epochs', or where it diverged."""
    if path.finite < len(path):
        return f"diverged at step {path.steps[path.finite]:,}"
    if path.stopped.startswith("diverged"):
        return path.stopped
    return f"{number(height_of_end(path, lowest))} above the {where} {passed(path)}".strip()


def named(path: Trajectory, words: str) -> str:
    """The words with what they are about before them."""
    return f"{path.label}: {words}" if path.label else words


def _words(
    drawn: Sequence[Path], paths: Sequence[Trajectory], plane: Plane, lowest: float, exists: bool
) -> dict[str, str]:
    where = "optimum" if exists else "infimum"
    moving = [p for p in paths if len(p)]
    ends = [named(p, outcome(p, lowest, where)) for p in moving]
    parts = [f"{moving[0].label}."] if len(moving) == 1 and moving[0].label else []
    if not moving:
        title = f"The optimum is {number(lowest, 4)}" if exists else "There is no optimum: the loss keeps falling"
    elif len(moving) == 1:
        title = outcome(moving[0], lowest, where)
        title = title[0].upper() + title[1:]
    else:
        title = ranking(moving, lowest, where)
    if plane.share is None:
        parts.append("The loss over all weights.")
    else:
        parts.append(
            f"Slice through the {'optimum' if exists else 'end'} along the path: {percent(plane.share)} of the motion."
        )
    if not exists:
        parts.append(
            "No optimum exists: the loss keeps falling" + (" along the dashed line." if plane.share is None else ".")
        )
    gone = [p for p in drawn if p.inside < len(p.x)]
    if gone:
        names = " and ".join(p.label for p in gone) if len(drawn) > 1 else "The path"
        parts.append(
            f"{names} leave{'s' if len(gone) == 1 else ''} the view at step {gone[0].steps[gone[0].inside]:,}."
        )
    subtitle = " ".join(parts)
    told = f"Contour picture of the {value_name(paths[0])} over {plane.names[0]} and {plane.names[1]}. {subtitle} "
    told += f"The {where} has the value {number(lowest, 4)}. " + ". ".join(ends) + ("." if ends else "")
    return {"title": title, "subtitle": subtitle, "alternative": told.strip()}


def ranking(paths: Sequence[Trajectory], lowest: float, where: str) -> str:
    """Which of several ends nearest."""
    whole = [p for p in paths if p.finite == len(p)]
    if not whole:
        return "All of them diverge"
    first = min(whole, key=lambda p: height_of_end(p, lowest))
    return f"{first.label} ends nearest to the {where}: {number(height_of_end(first, lowest))} above"


def loss_surface(source: Any, data: Any = None, *, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """The loss around a training as contours, with its path and the certified optimum.

    Two weights are drawn as they are; of more, the slice through the optimum that holds most of the path, with the
    share of the motion that it holds. Contours come closer towards the minimum by equal ratios of the height above it.

    source, data : what ``sl.show.trajectory`` takes: the result of ``sl.train``; that of ``sl.fit`` with
        ``data=(X, y)``; a list of weights with ``data=Objective(...)``; an ``Objective`` of two weights.
    ax : Axes to draw in; None makes a figure of 600 by 440 pixels.  theme : 'light' or 'dark'.

    Raises
    ------
    PictureError : what is missing.
    """
    return draw(LossSurface.of([trajectory(source, data)]), ax, theme)


def draw(picture: LossSurface, ax: Axes | None = None, theme: str | Theme | None = None, paths: bool = True) -> Axes:
    """Draw the data of a surface; without ``paths`` the surface and optimum alone."""
    ax, look = canvas.prepared(ax, theme)
    draw_surface(ax, look, picture)
    handles = [draw_path(ax, look, p, i, len(picture.paths) > 1, picture.unit) for i, p in enumerate(picture.paths)]
    handles = [h for group in handles for h in group] if paths else []
    if not paths:
        for line in [*ax.lines]:
            line.remove()
    handles += draw_goal(ax, look, picture)
    canvas.label(ax, look, picture.x_name, picture.y_name)
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2 if len(picture.paths) > 1 else 4)
    return ax


def draw_surface(ax: Axes, look: Theme, picture: LossSurface, bar: bool = True) -> None:
    """Filled contours, thin lines between them, and the scale of heights."""
    from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap

    ramp = LinearSegmentedColormap.from_list("surface", look.surface[::-1])
    values = np.asarray(picture.value)
    top = picture.levels[-1]
    values = np.where(np.isfinite(values), np.maximum(values, picture.levels[0]), 1e3 * abs(top) + 1)
    norm = BoundaryNorm(picture.levels, ramp.N, extend="max")
    filled = ax.contourf(picture.x, picture.y, values, picture.levels, cmap=ramp, norm=norm, extend="max")
    ax.contour(picture.x, picture.y, values, picture.levels[1:], colors=look.page, linewidths=0.5, alpha=0.6)
    ax.grid(False)
    ax.set_xlim(picture.x[0], picture.x[-1])
    ax.set_ylim(picture.y[0], picture.y[-1])
    if not bar:
        return
    scale = ax.figure.colorbar(filled, ax=ax, fraction=0.05, pad=0.02, aspect=28, extend="neither")
    shown = picture.levels[1::3]
    text = [number(v) if abs(v) < 1e4 else number(v, 5) for v in shown]
    if len(set(text)) < len(text):  # heights that differ in later digits only
        text = [number(v, 6) for v in shown]
    scale.set_ticks(shown, labels=text)
    scale.ax.tick_params(colors=look.soft, labelsize=canvas.SMALL, length=0)
    scale.ax.minorticks_off()
    scale.outline.set_visible(False)
    scale.set_label(picture.value_name, color=look.ink, fontsize=canvas.TEXT)


def dots_of(n: int) -> list[int]:
    """Which of ``n`` steps are marked: all of few, else by equal ratios."""
    if n <= DOTS:
        return list(range(n))
    return sorted({0, *(round(v) for v in np.geomspace(1, n - 1, 14))})


def draw_path(ax: Axes, look: Theme, path: Path, index: int, several: bool, unit: str) -> list[Any]:
    """A path with its start and end; the handles of the legend."""
    if not path.x:
        return []
    color = look.series[index % 6] if several else look.ink
    shown = min(len(path.x), path.inside + 1)
    x, y = path.x[:shown], path.y[:shown]
    (line,) = ax.plot(
        x, y, color=color, linewidth=1.6, linestyle=DASHES[index % 6] if several else "-", zorder=5,
        path_effects=canvas.outlined(look, 3.2), marker=MARKERS[index % 6], markersize=3.2, markevery=dots_of(shown),
        label=path.label if several else "path",
    )  # fmt: skip
    begin = ax.plot(
        x[:1], y[:1], marker="o", markersize=8, color=look.page, markeredgecolor=look.ink, markeredgewidth=1.8,
        linestyle="none", label="start", zorder=7,
    )  # fmt: skip
    if several:
        return [line] if index else [*begin, line]
    end = []
    if path.inside == len(path.x) and len(path.x) > 1:
        clock = path.clock[-1]
        end = ax.plot(
            x[-1:], y[-1:], marker="s", markersize=7, color=look.ink, markeredgecolor=look.page, markeredgewidth=1,
            linestyle="none", label=f"end, {unit} {number(clock, 6)}", zorder=8,
        )  # fmt: skip
    return [*begin, line, *end]


def draw_goal(ax: Axes, look: Theme, picture: LossSurface) -> list[Any]:
    """The optimum, or the direction in which there is none."""
    if picture.optimum is not None:
        return [canvas.star(ax, look, [picture.optimum[0]], [picture.optimum[1]])]
    if picture.ray is None:
        return []
    far = 4 * max(abs(v) for v in (picture.x[0], picture.x[-1], picture.y[0], picture.y[-1]))
    size = math.hypot(*picture.ray) or 1.0
    return ax.plot(
        [0, far * picture.ray[0] / size], [0, far * picture.ray[1] / size], color=look.ink, linewidth=1.4,
        linestyle=(0, (4, 3)), label="widest margin", path_effects=canvas.outlined(look, 3), scalex=False, scaley=False,
        zorder=4,
    )  # fmt: skip
