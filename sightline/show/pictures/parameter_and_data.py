"""Path in parameter space and line or boundary in data space, in step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.show import canvas
from sightline.show.picture import Picture, number
from sightline.show.pictures.data_space import DataSpace, chosen_steps
from sightline.show.pictures.decision_boundary import draw_goals, draw_lines, draw_rows
from sightline.show.pictures.loss_surface import LossSurface, draw_goal, draw_surface
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.0, 4.2)
STEPS = 7  # drawn in both


class TwoAxes(NamedTuple):
    """The Axes of the weights' plane and those of the rows; a notebook shows their figure."""

    parameter: Any
    data: Any

    def _repr_png_(self) -> bytes:
        return canvas.png(self.parameter.figure)


@dataclass(frozen=True, kw_only=True)
class ParameterAndData(Picture):
    """The same steps twice: as places on the loss surface and as lines among the rows.

    marked : which entries of ``surface.paths[0]`` the lines of ``space`` belong to.
    """

    kind = "parameter_and_data"
    surface: LossSurface
    space: DataSpace
    marked: list[int]

    @classmethod
    def of(
        cls, path: Trajectory, columns: Sequence[str | int] | None = None, steps: Sequence[int] | None = None
    ) -> ParameterAndData:
        """Both halves of a training; ``steps`` : places in the trajectory, None for seven by equal ratios."""
        surface = LossSurface.of([path])
        marked = chosen_steps(path, STEPS) if steps is None else list(steps)
        space = DataSpace.of(path, columns, marked, ratio=1.05)
        parts = [surface.subtitle]
        if len(marked) > 1:
            first, last = (number(path.clock[1][i], 4) for i in (marked[0], marked[-1]))
            parts.append(f"From faint to strong: {surface.unit} {first} to {last}.")
        told = f"Two pictures in step. {surface.alternative} Beside it: {space.alternative}"
        return cls(
            surface=surface, space=space, marked=marked, title=surface.title, subtitle=" ".join(parts), alternative=told
        )


def parameter_and_data(
    source: Any,
    data: Any = None,
    *,
    columns: Sequence[str | int] | None = None,
    ax: tuple[Axes, Axes] | None = None,
    theme: str | Theme | None = None,
) -> TwoAxes:
    """The path on the loss surface beside the line or boundary that each step is among the rows, in the same shades.

    source, data, columns, theme : as ``decision_boundary`` or ``fitted_line``.
    ax : two Axes, for the weights and for the rows; None makes a figure of 600 by 420 pixels.

    Returns
    -------
    The two Axes, as ``.parameter`` and ``.data``.
    """
    return draw(ParameterAndData.of(trajectory(source, data), columns), ax, theme)


def draw(picture: ParameterAndData, ax: tuple[Axes, Axes] | None = None, theme: str | Theme | None = None) -> TwoAxes:
    """Draw both halves."""
    left, right, look = two_axes(ax, theme)
    draw_surface(left, look, picture.surface, bar=False)
    path, colors = picture.surface.paths[0] if picture.surface.paths else None, canvas.shades(look, len(picture.marked))
    handles: list[Any] = []
    if path is not None and path.x:
        shown = min(len(path.x), path.inside + 1)
        left.plot(
            path.x[:shown], path.y[:shown], color=look.ink, linewidth=1.2, zorder=4, path_effects=canvas.outlined(look)
        )
        for i, color in zip(picture.marked, colors, strict=True):
            left.plot([path.x[i]], [path.y[i]], marker="o", markersize=7.5, color=color, markeredgecolor=look.page,
                      markeredgewidth=1.2, linestyle="none", zorder=6, scalex=False, scaley=False)  # fmt: skip
    goal = draw_goal(left, look, picture.surface)
    handles += draw_rows(right, look, picture.space)
    handles += draw_lines(right, look, picture.space)
    goals = draw_goals(right, look, picture.space)
    handles += goals or goal
    finish(left, right, look, picture, handles, ax is None)
    return TwoAxes(left, right)


def two_axes(ax: tuple[Axes, Axes] | None, theme: str | Theme | None) -> tuple[Axes, Axes, Theme]:
    """Two dressed Axes side by side, and the theme."""
    if ax is None:
        from sightline.show.themes import as_theme

        canvas.need_matplotlib()
        figure = canvas.new_figure(as_theme(theme), SIZE)
        ax = (canvas.new_axes(figure, 1, 2, 1), canvas.new_axes(figure, 1, 2, 2))
        theme = as_theme(theme)
    left, look = canvas.prepared(ax[0], theme)
    right, look = canvas.prepared(ax[1], theme or look)
    return left, right, look


def finish(left: Axes, right: Axes, look: Theme, picture: ParameterAndData, handles: list[Any], own: bool) -> None:
    """Names, title and legend of both; ``own`` : the figure is ours."""
    canvas.label(
        left,
        look,
        picture.surface.x_name.removesuffix(" of the path"),
        picture.surface.y_name.removesuffix(" of the path"),
    )
    canvas.label(right, look, picture.space.x_name, picture.space.y_name)
    canvas.entitle(left, look, picture)
    canvas.tell(right, picture)
    canvas.legend_of_two(left, right, look, handles, own)
