"""Gap to the certified optimum on a log scale: am I done?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, number
from sightline.show.pictures.loss_surface import named, outcome, ranking, value_name
from sightline.show.pictures.race import MOST, runners
from sightline.show.themes import DASHES, MARKERS, Theme
from sightline.show.trajectories import Trajectory, trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLOCKS = ("steps", "epochs", "seconds")
ROUNDING = 2.0**-52


@dataclass(frozen=True, kw_only=True)
class Series:
    """One training: ``at`` steps, epochs or seconds; ``gap`` there, None where it is not finite."""

    label: str
    at: list[float]
    gap: list[float | None]


@dataclass(frozen=True, kw_only=True)
class Gap(Picture):
    """Objective above its certified optimum (or its infimum) along trainings of one problem.

    series : the trainings.  floor : what the certificate leaves open, and rounding: gaps below are at the optimum.
    target : the relative tolerance of the certificate as a gap.  logarithmic : of the clock.
    """

    kind = "gap"
    series: list[Series]
    floor: float
    target: float
    x_name: str
    y_name: str
    logarithmic: bool

    @classmethod
    def of(cls, paths: Sequence[Trajectory], against: str | None = None) -> Gap:
        """The gaps of some trainings; ``against`` None takes epochs where all have them, else steps."""
        if against is None:
            against = "epochs" if all(p.epochs is not None for p in paths) else "steps"
        if against not in CLOCKS:
            raise PictureError(f"against={against!r}; choose one of {', '.join(CLOCKS)}.")
        if not all(len(p) for p in paths):
            raise PictureError("the gap needs the steps of a training, and there are none: record its weights.")
        best = paths[0].optimum
        lowest, factor = paths[0].lowest, paths[0].factor
        floor = max(factor * best.gap, 4 * ROUNDING * abs(lowest), 1e-300)
        series = []
        for path in paths:
            if against == "seconds" and path.seconds is None:
                raise PictureError(f"{path.label or 'a list of weights'} has no times; use against='steps'.")
            if against == "epochs" and path.epochs is None:
                raise PictureError(f"{path.label or 'this training'} has no epochs; use against='steps'.")
            at: list[float] = {"epochs": path.epochs, "seconds": path.seconds}.get(against) or [
                float(s) for s in path.steps
            ]
            heights = [max(v - lowest, floor) if math.isfinite(v) else None for v in path.values]
            series.append(Series(label=path.label, at=list(at), gap=heights))
        where = "optimum" if best.weights is not None else "infimum"
        names = {"steps": "step", "epochs": "epoch", "seconds": "time (seconds)"}
        return cls(
            series=series, floor=floor, target=factor * best.certificate.tol * max(best.certificate.scale, floor),
            x_name=names[against], y_name=f"{value_name(paths[0])} above the {where}",
            logarithmic=against != "seconds" and max(s.at[-1] for s in series) > 300, **_words(paths, where),
        )  # fmt: skip


def _words(paths: Sequence[Trajectory], where: str) -> dict[str, str]:
    best, lowest = paths[0].optimum, paths[0].lowest
    ends = [named(p, outcome(p, lowest, where)) for p in paths]
    if len(paths) == 1:
        title = outcome(paths[0], lowest, where)
        title = title[0].upper() + title[1:]
    else:
        title = ranking(paths, lowest, where)
    subtitle = f"{paths[0].label}. " if len(paths) == 1 and paths[0].label else ""
    subtitle += f"The {where} {number(lowest, 5)} is proven to within {number(paths[0].factor * best.gap, 2)}."
    if best.weights is None:
        subtitle += " No weights reach it."
    told = (
        f"Distance of the {value_name(paths[0])} from its {where} on a logarithmic scale. {'. '.join(ends)}. {subtitle}"
    )
    return {"title": title, "subtitle": subtitle, "alternative": told}


def gap(
    *sources: Any,
    data: Any = None,
    against: str | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """How far each step is above the certified optimum, on a logarithmic scale; the band at the bottom is what the
    certificate leaves open, and a curve that ends in it is done.

    sources : up to six of what ``sl.show.trajectory`` takes, of the same model and rows, or one mapping from name to
        each.  data, ax, theme : as ``loss_surface``.
    against : 'steps', 'epochs' or 'seconds'; None takes epochs where they are known.

    Raises
    ------
    PictureError : no steps, or a clock that was not recorded.
    """
    return draw(Gap.of(runners(trajectories(sources, data)), against), ax, theme)


def draw(picture: Gap, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the curves and the certificate's band."""
    ax, look = canvas.prepared(ax, theme)
    ax.set_yscale("log")
    lowest = min((g for s in picture.series for g in s.gap if g is not None), default=1.0)
    handles = []
    for i, series in enumerate(picture.series[:MOST]):
        shown = [(a, g) for a, g in zip(series.at, series.gap, strict=True) if g is not None]
        every = max(1, len(shown) // 8)
        (line,) = ax.plot(
            [a for a, _ in shown], [g for _, g in shown], color=look.series[i], linestyle=DASHES[i], linewidth=1.8,
            marker=MARKERS[i], markersize=4.5, markevery=every, label=series.label or "training",
        )  # fmt: skip
        handles.append(line)
    if picture.logarithmic:
        first = min(a for s in picture.series for a in s.at if a > 0)
        ax.set_xscale("symlog", linthresh=first, linscale=0.3)
    last = max(s.at[-1] for s in picture.series)
    ax.set_xlim(0, last * (1.15 if picture.logarithmic else 1.02) or 1.0)
    if lowest < 1e3 * picture.floor or lowest < 30 * picture.target:
        # The floor is in view: from it downwards weights cannot be told from the optimum.
        ax.set_ylim(bottom=picture.floor / 3)
        ax.axhspan(picture.floor / 10, picture.floor, color=look.soft, alpha=0.25, linewidth=0, zorder=1)
        handles.append(canvas.patch(look, "within the proof", 0.25))
        handles.append(canvas.star(ax, look, [last], [picture.floor], clip_on=False))
    else:
        handles.append(
            canvas.star(ax, look, [last], [0.0], text="optimum, far below", clip_on=False, transform=_foot(ax))
        )
    if picture.y_name.endswith("infimum"):
        handles[-1].set_label("infimum" if lowest < 1e3 * picture.floor else "infimum, far below")
    canvas.plain_log(ax.yaxis)
    if picture.logarithmic:
        canvas.plain_log(ax.xaxis, first)
    canvas.label(ax, look, picture.x_name, picture.y_name)
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2 if len(picture.series) > 1 else 3)
    return ax


def _foot(ax: Axes) -> Any:
    """Places by data across and by the Axes' height up."""
    return ax.get_xaxis_transform()
