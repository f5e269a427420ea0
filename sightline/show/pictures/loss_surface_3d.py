"""Loss surface and path in three dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.show import canvas
from sightline.show.pictures.loss_surface import LossSurface, dots_of
from sightline.show.themes import Theme
from sightline.show.trajectories import trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.0, 5.0)
FLOOR = 4.0  # decades of height above the lowest value that the log scale shows
FINE = 61  # points of the drawn grid each way


def loss_surface_3d(
    source: Any, data: Any = None, *, log: bool | None = None, ax: Axes | None = None, theme: str | Theme | None = None
) -> Axes:
    """The loss around a training as a surface, with the path on it and the certified optimum.

    source, data, theme : as ``loss_surface``.
    log : draw the height above the optimum by powers of ten; None does where the surface spans more than 30 times its
        median height, which a plain scale would show as a cliff and a plain.
    ax : Axes with ``projection='3d'``; None makes a figure of 600 by 520 pixels.

    Raises
    ------
    PictureError : what is missing.  ValueError : ``ax`` has two dimensions.
    """
    return draw(LossSurface.of([trajectory(source, data)]), log, ax, theme)


def draw(
    picture: LossSurface, log: bool | None = None, ax: Axes | None = None, theme: str | Theme | None = None
) -> Axes:
    """Draw the data of a surface in three dimensions."""
    if ax is not None and not hasattr(ax, "plot_surface"):
        raise ValueError("loss_surface_3d needs Axes of three dimensions: figure.add_subplot(projection='3d').")
    ax, look = canvas.prepared(ax, theme, SIZE, dimensions=3)
    space: Any = ax
    every = max(1, -(-len(picture.x) // FINE))
    heights = np.asarray(picture.value)[::every, ::every] - picture.lowest
    x, y = np.meshgrid(picture.x[::every], picture.y[::every])
    finite = heights[np.isfinite(heights)]
    top = float(np.quantile(finite, 0.99))
    if log is None:
        log = top > 30 * float(np.median(finite))
    floor = max(top * 10**-FLOOR, 1e-300)

    def height(values: Any) -> Any:
        bounded = np.clip(np.nan_to_num(np.asarray(values, dtype=float), posinf=top), 0.0, top)
        return np.log10(np.maximum(bounded, floor)) if log else bounded + picture.lowest

    from matplotlib.colors import LinearSegmentedColormap

    z = height(heights)
    ramp = LinearSegmentedColormap.from_list("surface", look.surface[::-1])
    space.computed_zorder = False  # the path lies on the surface and is drawn over it
    space.plot_surface(
        x, y, z, cmap=ramp, rcount=FINE, ccount=FINE, linewidth=0, antialiased=True, alpha=0.92, shade=False, zorder=1
    )
    space.plot_wireframe(x, y, z, rcount=15, ccount=15, color=look.page, linewidth=0.5, alpha=0.45, zorder=2)
    handles = []
    for path in picture.paths:
        shown = min(len(path.x), path.inside)
        if not shown:
            continue
        on = height(np.asarray(path.value[:shown]) - picture.lowest)
        (line,) = space.plot(
            path.x[:shown], path.y[:shown], on, color=look.ink, linewidth=1.8, marker="o", markersize=3,
            markevery=dots_of(shown), path_effects=canvas.outlined(look, 3), label="path", zorder=5,
        )  # fmt: skip
        begin = space.plot(
            path.x[:1], path.y[:1], on[:1], marker="o", markersize=8, color=look.page, markeredgecolor=look.ink,
            markeredgewidth=1.8, linestyle="none", label="start", zorder=6,
        )  # fmt: skip
        handles += [*begin, line]
    if picture.optimum is not None:
        at = height([0.0])
        handles.append(canvas.star(space, look, [picture.optimum[0]], [picture.optimum[1]], at))
    _frame(space, look, picture, log, picture.optimum is not None)
    canvas.entitle(space, look, picture)
    canvas.legend(space, look, handles, columns=4, drop=8)
    return space


def _frame(space: Any, look: Theme, picture: LossSurface, log: bool, exists: bool) -> None:
    """Panes, ticks and names of the three axes; a view from the side of the start."""
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_pane_color(look.page)
        axis.line.set_color(look.soft)
        axis._axinfo["grid"].update(color=look.grid, linewidth=0.8)
    space.tick_params(axis="both", pad=0, labelsize=canvas.SMALL, colors=look.soft)
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis in (space.xaxis, space.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    if log:
        space.zaxis.set_major_locator(MaxNLocator(5, integer=True))
        space.zaxis.set_major_formatter(FuncFormatter(lambda v, _: _power(v)))
    where = "optimum" if exists else "infimum"
    space.set_xlabel(picture.x_name, color=look.ink, fontsize=canvas.TEXT)
    space.set_ylabel(picture.y_name, color=look.ink, fontsize=canvas.TEXT)
    space.set_zlabel(f"above the {where}" if log else picture.value_name, color=look.ink, fontsize=canvas.TEXT)
    space.xaxis.labelpad = space.yaxis.labelpad = 2
    space.view_init(elev=28, azim=_azimuth(picture))
    space.set_box_aspect((1.25, 1.25, 0.85), zoom=1.0)


def _azimuth(picture: LossSurface) -> float:
    """The corner from which the start lies at the back: the path comes towards the viewer, down the inner wall."""
    if not (picture.paths and picture.paths[0].x and picture.optimum is not None):
        return -60.0
    path = picture.paths[0]
    dx = (path.x[0] - picture.optimum[0]) / (picture.x[-1] - picture.x[0])
    dy = (path.y[0] - picture.optimum[1]) / (picture.y[-1] - picture.y[0])
    wanted = math.degrees(math.atan2(-dy, -dx))
    return min((-150.0, -60.0, 30.0, 120.0), key=lambda a: abs((a - wanted + 180) % 360 - 180))


def _power(exponent: float) -> str:
    return f"1e{int(exponent)}".replace("-", "−") if abs(exponent) >= 4 else f"{10**exponent:g}"
