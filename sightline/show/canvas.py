"""Figures and Axes that look like Sightline's, without pyplot and without touching matplotlib's settings."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from sightline.show.picture import Picture, number
from sightline.show.themes import DARK, LIGHT, Theme, as_theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
SIZE = (6.0, 4.4)  # inches: 600 by 440 pixels
TITLE, TEXT, SMALL = 11.0, 9.0, 8.5  # points
EDGE = 7.0  # points between words and the edge of the figure


def need_matplotlib() -> None:
    """Raises ImportError with what to install where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'sightline[plot]'") from error


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


@cache
def _axes_class(dimensions: int) -> type[Axes]:
    """Axes that a notebook shows when they are a cell's value, without pyplot's list of open figures."""
    if dimensions == 3:
        from mpl_toolkits.mplot3d import Axes3D as Base  # type: ignore[import-untyped]
    else:
        from matplotlib.axes import Axes as Base

    class PictureAxes(Base):
        """Axes of one picture; a notebook shows the whole figure."""

        def _repr_png_(self) -> bytes:
            return png(self.figure)

    return PictureAxes


def new_figure(theme: Theme, size: tuple[float, float] = SIZE) -> Figure:
    """A figure that belongs to nobody: it is gone when the last reference to it is."""
    need_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, facecolor=theme.page, layout="constrained")
    FigureCanvasAgg(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.08, h_pad=0.08)
    return figure


def new_axes(figure: Figure, *place: int, dimensions: int = 2) -> Axes:
    """Axes in a figure, at ``place`` as ``add_subplot`` takes it."""
    return figure.add_subplot(*(place or (1, 1, 1)), axes_class=_axes_class(dimensions))


def prepared(
    ax: Axes | None, theme: str | Theme | None, size: tuple[float, float] = SIZE, dimensions: int = 2
) -> tuple[Axes, Theme]:
    """The Axes to draw in, dressed, and the theme: that asked for, or for Axes that are given the one that goes with
    their background."""
    need_matplotlib()
    if ax is None:
        found = as_theme(theme)
        ax = new_axes(new_figure(found, size), dimensions=dimensions)
    else:
        if theme is None:
            theme = DARK if _dark(ax.get_facecolor()) else LIGHT
        found = as_theme(theme)
    dress(ax, found)
    return ax, found


def _dark(color: Any) -> bool:
    r, g, b, alpha = color
    return bool(alpha > 0.5 and 0.299 * r + 0.587 * g + 0.114 * b < 0.5)


def dress(ax: Axes, theme: Theme) -> None:
    """Colours, sizes and grid of one Axes."""
    ax.set_facecolor(theme.page)
    ax.tick_params(colors=theme.soft, labelsize=SMALL, length=3, width=0.8, which="both")
    ax.grid(True, color=theme.grid, linewidth=0.8)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.soft)
        spine.set_linewidth(0.8)


def label(ax: Axes, theme: Theme, x: str, y: str) -> None:
    """Names of the axes, with their units."""
    # A $ in a name is a $.
    words: dict[str, Any] = {"color": theme.ink, "fontsize": TEXT, "labelpad": 4, "parse_math": False}
    ax.set_xlabel(x, **words)
    ax.set_ylabel(y, **words)


def entitle(ax: Axes, theme: Theme, picture: Picture) -> None:
    """Title and subtitle above the Axes, and the alternative text: in a figure of ours from its left edge on and as
    wide as it is, else as wide as the Axes' place."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure: Any = ax.figure
    points = figure.get_figwidth() * 72
    place: Any = ax.get_subplotspec()
    if is_ours(ax):
        width, left, across = points - 2 * EDGE - 4, EDGE / points, figure.transFigure
    else:
        share = 0.7 if place is None else place.get_position(figure).width
        width, left, across = share * points, 0.0, ax.transAxes
    head, below = wrapped(picture.title, width, TITLE, "bold"), wrapped(picture.subtitle, width, SMALL)
    pad = 9 + (1.45 * SMALL * len(below) if below else 0)
    above = blended_transform_factory(across, ax.transAxes)
    heading = ax.set_title(
        "\n".join(head), loc="left", color=theme.ink, fontsize=TITLE, fontweight="bold", pad=pad, linespacing=1.2,
        parse_math=False,
    )  # fmt: skip
    heading.set_transform(above + ScaledTranslation(0, pad / 72, figure.dpi_scale_trans))
    heading.set_x(left)
    ax.sightline_heading = heading  # type: ignore[attr-defined] # animations change its words
    if below:
        words = figure.text(  # not the Axes', whose ``text`` takes a third place where there are three dimensions
            left, 1, "\n".join(below), transform=above + ScaledTranslation(0, 6 / 72, figure.dpi_scale_trans),
            va="bottom", ha="left", color=theme.soft, fontsize=SMALL, linespacing=1.25, parse_math=False,
        )  # fmt: skip
        words.set_in_layout(False)  # the title's pad keeps its place
        ax.sightline_subtitle = words  # type: ignore[attr-defined]
    tell(ax, picture)


def is_ours(ax: Axes) -> bool:
    """Whether the Axes were made here and not given."""
    return hasattr(ax, "_repr_png_")


def one_scale(ax: Axes, box: Sequence[float]) -> None:
    """Show a box (left, right, bottom, top) with a unit as long across as up: more of the one or the other side is seen
    than asked for."""
    left, right, bottom, top = box
    if not is_ours(ax):
        ax.set_aspect("equal", adjustable="box")
        return
    figure: Any = ax.figure
    figure.draw_without_rendering()  # lays out, so that the shape of the Axes is known
    ratio = ax.bbox.width / ax.bbox.height
    wide = max(right - left, ratio * (top - bottom)) - (right - left)
    high = max(top - bottom, (right - left) / ratio) - (top - bottom)
    ax.set_xlim(left - wide / 2, right + wide / 2)
    ax.set_ylim(bottom - high / 2, top + high / 2)


def wrapped(text: str, points: float, size: float, weight: str = "normal") -> list[str]:
    """Lines of a text no wider than so many points."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size, weight) <= points:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(4096)
def _width(text: str, size: float, weight: str) -> float:
    """Width of a line in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return float(text_to_path.get_text_width_height_descent(text, FontProperties(weight=weight, size=size), False)[0])


def tell(ax: Axes, picture: Picture) -> None:
    """Attach the alternative text; ``sl.show.alt_text`` reads it."""
    ax.sightline_alternative = picture.alternative  # type: ignore[attr-defined]
    ax.sightline_title = picture.title  # type: ignore[attr-defined]


def legend(ax: Axes, theme: Theme, handles: Sequence[Any], columns: int = 3, drop: float = 34) -> None:
    """A legend below the Axes and the name of x, where it covers nothing.  ``drop`` : points below the Axes."""
    from matplotlib.transforms import ScaledTranslation

    if not handles:
        return
    handles = _labelled(handles)
    below = ScaledTranslation(-8 / 72, -drop / 72, ax.figure.dpi_scale_trans)
    found = ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=ax.transAxes + below,
        ncols=columns, frameon=False, fontsize=SMALL, labelcolor=theme.ink, handlelength=2.4, columnspacing=1.4,
        handletextpad=0.6, borderaxespad=0,
    )  # fmt: skip
    _as_written(found)


def _labelled(handles: Sequence[Any]) -> list[Any]:
    """The handles; matplotlib would leave out those whose name begins with an underscore."""
    for handle in handles:
        if str(handle.get_label()).startswith("_"):
            handle.set_label(f" {handle.get_label()}")
    return list(handles)


def _as_written(found: Any) -> None:
    """Names in a legend as they are, without mathematics in them."""
    for text in found.get_texts():
        text.set_parse_math(False)


def legend_of_two(left: Axes, right: Axes, theme: Theme, handles: Sequence[Any], own: bool) -> None:
    """One legend for two Axes: below both in a figure of our ``own``, else in the right one."""
    style: dict[str, Any] = {
        "handles": _labelled(handles), "frameon": False, "fontsize": SMALL, "labelcolor": theme.ink,
        "handlelength": 2.2, "columnspacing": 1.2, "handletextpad": 0.6,
    }  # fmt: skip
    if own:
        _as_written(left.figure.legend(loc="outside lower left", ncols=3, **style))
    else:
        _as_written(right.legend(loc="best", **style))


def outlined(theme: Theme, width: float = 2.2) -> list[Any]:
    """Path effects that set a line or word off from what lies below it."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground=theme.page)]


def star(ax: Axes, theme: Theme, *place: Any, text: str = "optimum", size: float = 13, **options: Any) -> Any:
    """The optimum, the same in every picture, at lists of x and y (and z); the handle for the legend."""
    (handle,) = ax.plot(
        *place, marker="*", markersize=size, color=theme.ink, markeredgecolor=theme.page,
        markeredgewidth=1.0, linestyle="none", label=text, zorder=9, **options,
    )  # fmt: skip
    return handle


def line_with_star(theme: Theme, dash: Any, width: float) -> Any:
    """The legend's sign of a line that is the optimum's."""
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], color=theme.ink, linestyle=dash, linewidth=width, marker="*", markersize=11,
        markeredgecolor=theme.page, label="optimum",
    )  # fmt: skip


def arrow(ax: Axes, theme: Theme, x: float, y: float, text: str) -> Any:
    """An arrow from the origin; the handle for the legend."""
    from matplotlib.lines import Line2D

    style = {
        "arrowstyle": "-|>",
        "mutation_scale": 18,
        "linewidth": 2.2,
        "color": theme.ink,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    found = ax.annotate("", (x, y), (0, 0), arrowprops={**style, "path_effects": outlined(theme, 4)}, zorder=7)
    found.set_in_layout(False)
    return Line2D([], [], color=theme.ink, linewidth=2.2, marker=">", markersize=8, markevery=[1], label=text)


def patch(theme: Theme, text: str, alpha: float, color: str | None = None) -> Any:
    """The legend's sign of an area."""
    from matplotlib.patches import Patch

    return Patch(color=color or theme.soft, alpha=alpha, linewidth=0, label=text)


def plain_log(axis: Any, least: float = 0.0) -> None:
    """Ticks of a logarithmic axis at powers of ten, few enough to read; with ``least`` zero and those from there on."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axis.get_view_interval()
    start = max(low, least) if least else low
    first, last = math.ceil(math.log10(start) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, -(-(last - first + 1) // 7))
    places = [10.0**e for e in range(first, last + 1, every)]
    if len(places) < 3:  # too few powers in view
        places = [m * 10.0**e for e in range(first - 1, last + 1) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    axis.set_major_locator(FixedLocator([0.0, *places] if least else places))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda v, _: number(v, 2)))


def short(text: str, most: int) -> str:
    """A name cut in the middle where it is too long for its place."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - half]}…{text[-half:]}"


def shades(theme: Theme, n: int) -> list[Any]:
    """``n`` colours from faint to strong, for the steps of one training."""
    from matplotlib.colors import LinearSegmentedColormap

    ramp = LinearSegmentedColormap.from_list("steps", [theme.faint, theme.series[0], theme.dark])
    return [ramp(1.0 if n == 1 else i / (n - 1)) for i in range(n)]
