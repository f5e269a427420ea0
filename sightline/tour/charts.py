"""Pictures that only the tour draws: curves over epochs, and losses over the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.show import canvas
from sightline.show.picture import Picture
from sightline.show.themes import DASHES, as_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Curve:
    """Places x and y of a line, and its name."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Curves over one axis.  levels : (height, what it is) of lines across; log : whether x runs by equal ratios."""

    x: str
    y: str
    curves: tuple[Curve, ...]
    levels: tuple[tuple[float, str], ...] = ()
    log: bool = False
    title: str = ""


def curves(
    theme: str, panels: Sequence[Panel], title: str, alternative: str, beside: bool = False
) -> tuple[Axes, ...]:
    """Panels below one another, or ``beside``, under one title."""
    look = as_theme(theme)
    n = len(panels)
    size = (8.0, 3.6) if beside else (6.0, 1.4 + 2.5 * n)
    figure = canvas.new_figure(look, size)
    drawn: list[Axes] = []
    for k, panel in enumerate(panels):
        ax = canvas.new_axes(figure, *((1, n, k + 1) if beside else (n, 1, k + 1)))
        canvas.dress(ax, look)
        for i, curve in enumerate(panel.curves):
            ax.plot(
                curve.x, curve.y, color=look.series[i % 6], linestyle=DASHES[i % 6], linewidth=2, label=curve.label
            )
        for height, name in panel.levels:
            ax.axhline(height, color=look.ink, linewidth=1.1, linestyle=(0, (4, 3)))
            ax.annotate(
                name, (1, height), (-2, 3), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right",
                va="bottom", color=look.ink, fontsize=canvas.SMALL, path_effects=canvas.outlined(look, 3),
            )  # fmt: skip
        if panel.log:
            ax.set_xscale("log")
            ax.minorticks_off()
        canvas.label(ax, look, panel.x, panel.y)
        if panel.title:
            ax.set_title(panel.title, loc="left", color=look.ink, fontsize=canvas.TEXT)
        if len(panel.curves) > 1 and (not beside or k == 0):
            ax.legend(frameon=False, fontsize=canvas.SMALL, labelcolor=look.ink, loc="best")
        drawn.append(ax)
    picture = Picture(title=title, alternative=alternative)
    if beside or n > 1:
        figure.suptitle(
            title, x=0.02, ha="left", color=look.ink, fontsize=canvas.TITLE, fontweight="bold"
        )
        canvas.tell(drawn[0], picture)
    else:
        canvas.entitle(drawn[0], look, picture)
    return tuple(drawn)
