"""What each level of a constraint costs: is the one that was asked for a good bargain?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.constraints.frontier import Frontier
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, number
from sightline.show.themes import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True)
class FrontierPicture(Picture):
    """Objective against the level of a constraint.

    levels : (m,).  proxy, true, bound : (m,) the convex proxy's optimum, the best weights found that meet the true
    rate, and what none can go below; None where there are none.  free : the optimum without constraints.
    chosen : the level asked for.  x_name, y_name : of the axes.
    """

    kind = "frontier"
    levels: list[float]
    proxy: list[float | None]
    true: list[float | None]
    bound: list[float | None]
    free: float
    chosen: float
    x_name: str
    y_name: str

    @classmethod
    def of(cls, line: Frontier) -> FrontierPicture:
        """The picture of a frontier."""

        def finite(values: tuple[float, ...]) -> list[float | None]:
            return [v if math.isfinite(v) else None for v in values]

        true, proxy = finite(line.true), finite(line.proxy)
        if not any(v is not None for v in (*true, *proxy)):
            raise PictureError("no level of this constraint was met by any weights, so there is nothing to draw.")
        at = line.levels.index(line.chosen) if line.chosen in line.levels else None
        here = None if at is None else true[at]
        title = f"{line.constraint}: "
        if here is None:
            title += "no weights were found that meet it"
        else:
            title += f"objective {number(here, 4)}, {number(here - line.free, 3)} more than without it"
        subtitle = "Least objective of weights that meet the rate: it lies in the shade."
        told = f"Objective against the level asked for. {title}. Without constraints it is {number(line.free, 4)}."
        return cls(
            levels=list(line.levels), proxy=proxy, true=true, bound=finite(line.bound), free=line.free,
            chosen=line.chosen, x_name=line.constraint.rsplit(" ", 2)[0], y_name="objective on the training rows",
            title=title, subtitle=subtitle, alternative=told,
        )  # fmt: skip


def frontier(source: Any, constraint: int = 0, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """What each level of one of the constraints costs, with the chosen one marked.

    source : a ``ConstrainedResult``, or the ``Frontier`` that its ``frontier()`` gives.  constraint : which one, by its
        place in ``subject_to``.  ax, theme : as ``loss_surface``.

    Raises
    ------
    PictureError : something else was given, or no level was met.
    """
    if hasattr(source, "frontier"):
        source = source.frontier(constraint)
    if not isinstance(source, Frontier):
        raise PictureError(f"a {type(source).__name__} has no frontier; give what sl.fit(subject_to=...) returns.")
    return draw(FrontierPicture.of(source), ax, theme)


def draw(picture: FrontierPicture, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the three curves and the chosen point."""
    ax, look = canvas.prepared(ax, theme)
    both = [
        (x, b, t) for x, b, t in zip(picture.levels, picture.bound, picture.true) if b is not None and t is not None
    ]
    handles = []
    if both:
        ax.fill_between([x for x, _, _ in both], [b for _, b, _ in both], [t for _, _, t in both], color=look.soft,
                        alpha=0.35, linewidth=0)  # fmt: skip
        handles.append(canvas.patch(look, "not decided", 0.35))
    curves = ((picture.true, "true rates", "-"), (picture.proxy, "convex proxy", "--"))
    for i, (values, name, dashes) in enumerate(curves):
        shown = [(x, v) for x, v in zip(picture.levels, values) if v is not None]
        if shown:
            (line,) = ax.plot(
                [x for x, _ in shown], [v for _, v in shown], color=look.series[i], linestyle=dashes, linewidth=1.8,
                marker="os"[i], markersize=4, label=name,
            )  # fmt: skip
            handles.append(line)
    handles.append(ax.axhline(picture.free, color=look.soft, linewidth=1.2, linestyle=":", label="without constraints"))
    here = dict(zip(picture.levels, picture.true)).get(picture.chosen)
    if here is not None:
        handles.append(canvas.star(ax, look, [picture.chosen], [here], text="chosen"))
    canvas.label(ax, look, picture.x_name, picture.y_name)
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2)
    return ax
