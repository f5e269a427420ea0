"""Decision boundary by epoch, and the fitted line by epoch: does it settle, and where?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.show import canvas
from sightline.show.picture import PictureError, number
from sightline.show.pictures.data_space import FEW, DataSpace
from sightline.show.themes import MARKERS, Theme
from sightline.show.trajectories import trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decision_boundary(
    source: Any,
    data: Any = None,
    *,
    columns: Sequence[str | int] | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The boundary between the classes by epoch, faint to strong, among the rows, with that of the optimum; where the
    classes are separable and there is no optimum, with the widest margin, and where gradient descent is heading.

    source, data : as ``loss_surface``, of a classification.  columns : two (or one) by name or number where the model
        has more; the others are held at their means.  With one column the probability is drawn over it.

    Raises
    ------
    PictureError : a regression (see ``fitted_line``), or more columns than two and none chosen.
    """
    path = trajectory(source, data)
    if path.objective.loss.targets not in ("binary", "classes"):
        raise PictureError(f"the {path.objective.loss} loss predicts numbers: use sl.show.fitted_line.")
    return draw(DataSpace.of(path, columns), ax, theme)


def fitted_line(
    source: Any,
    data: Any = None,
    *,
    columns: Sequence[str | int] | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The line of a regression by epoch, faint to strong, among the rows, with the optimum's.

    source, data, columns : as ``decision_boundary``, of a regression with one column or one chosen.

    Raises
    ------
    PictureError : a classification, or more columns than one and none chosen.
    """
    path = trajectory(source, data)
    if path.objective.loss.targets in ("binary", "classes"):
        raise PictureError(f"the {path.objective.loss} loss tells classes apart: use sl.show.decision_boundary.")
    return draw(DataSpace.of(path, columns), ax, theme)


def draw(picture: DataSpace, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw rows, lines by step and the optimum's."""
    ax, look = canvas.prepared(ax, theme)
    handles = draw_rows(ax, look, picture)
    lines = draw_lines(ax, look, picture)
    handles += lines + draw_goals(ax, look, picture)
    canvas.label(ax, look, picture.x_name, picture.y_name)
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=3)
    if picture.one_scale:
        canvas.one_scale(ax, picture.box)
    return ax


def draw_rows(ax: Axes, look: Theme, picture: DataSpace) -> list[Any]:
    """The rows, by class; the handles of the legend."""
    left, right, bottom, top = picture.box
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    handles = []
    colors = [look.low, look.high] if len(picture.clouds) == 2 else list(look.series)
    if picture.form == "curve":
        colors = [look.soft]
    total = sum(len(c.x) for c in picture.clouds)
    size = 9.0 if total <= FEW else 5.5 if total <= 300 else 3.5
    for i, cloud in enumerate(picture.clouds):
        rug = picture.form == "axis"
        handles += ax.plot(
            cloud.x, cloud.y, linestyle="none", marker="|" if rug else MARKERS[i % 6], color=colors[i % len(colors)],
            markersize=10 if rug else size, markeredgewidth=1.2 if rug else 0.5, alpha=0.75 if total > FEW else 1.0,
            markeredgecolor=colors[i % len(colors)] if rug else look.page, zorder=3,
            label=cloud.name if picture.form == "curve" else f"class {cloud.name}",
        )  # fmt: skip
    return handles


def draw_lines(ax: Axes, look: Theme, picture: DataSpace) -> list[Any]:
    """The lines by step, faint to strong; handles of the first and last."""
    colors = canvas.shades(look, len(picture.lines))
    handles: list[Any] = []
    for i, (line, color) in enumerate(zip(picture.lines, colors, strict=True)):
        last = i == len(picture.lines) - 1
        drawn = []
        for piece in line.pieces:
            xy = np.asarray(piece)
            drawn = ax.plot(
                xy[:, 0], xy[:, 1], color=color, linewidth=2.4 if last else 1.4, zorder=4 + i / 100,
                label=f"{picture.unit} {number(line.clock, 6)}", scalex=False, scaley=False,
            )  # fmt: skip
        if drawn and (last or not handles):
            handles += drawn
    return handles


def draw_goals(ax: Axes, look: Theme, picture: DataSpace) -> list[Any]:
    """The optimum's line with its star, the widest margin with its sides, and where gradient descent is heading."""
    handles: list[Any] = []
    styles = [
        (picture.optimum, "optimum", (0, (5, 2)), 1.8, look.ink),
        (picture.margin, "widest margin", (0, (5, 2)), 1.8, look.ink),
        (picture.sides, "", (0, (1, 2)), 1.0, look.ink),
        (picture.heading, "where gradient descent is heading", (0, (1, 1)), 1.8, look.alarm),
    ]  # fmt: skip
    for found, name, dash, width, color in styles:
        for i, piece in enumerate(found):
            xy = np.asarray(piece)
            handle = ax.plot(
                xy[:, 0], xy[:, 1], color=color, linewidth=width, linestyle=dash, zorder=6, scalex=False, scaley=False,
                path_effects=canvas.outlined(look, width + 1.2), label=name,
            )  # fmt: skip
            if name == "optimum":
                x, y = (float(v) for v in (xy[0] + xy[-1]) / 2) if len(xy) == 2 else xy[len(xy) // 2]
                canvas.star(ax, look, [x], [y], size=11)
                handle = [canvas.line_with_star(look, dash, width)]
            if name and not i:
                handles += handle
    return handles
