"""Probabilities, calibration, precision and recall: what do predictions cost?"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.show import canvas
from sightline.show.picture import PictureError, number, percent
from sightline.show.pictures.predictions import Probabilities
from sightline.show.themes import Theme
from sightline.show.trajectories import trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def probabilities(
    source: Any,
    data: Any = None,
    *,
    recall: float | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The predicted probabilities of the rows of each class (scores where the loss gives none), filled at the trained
    weights and outlined at the optimum's, with the threshold.

    source, data, ax, theme : as ``loss_surface``, of two classes.
    recall : the least share of the positive class to be found; the threshold is the highest that gives it on these
        rows. None cuts at one half.

    Raises
    ------
    PictureError : more or fewer classes than two, or no weights.
    """
    return draw(Probabilities.of(trajectory(source, data), recall), ax, theme)


def calibration(source: Any, data: Any = None, *, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Predicted probability against what was seen, by tenths of the rows, with Wilson's 95 % intervals, beside the
    optimum's.

    source, data, ax, theme : as ``probabilities``, of the logistic loss.

    Raises
    ------
    PictureError : the loss gives no probabilities.
    """
    return draw_calibration(Probabilities.of(trajectory(source, data)), ax, theme)


def precision_recall(
    source: Any,
    data: Any = None,
    *,
    recall: float | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """Precision against recall over all thresholds, with the one that is used, the constraint, and the optimum's curve.

    source, data, recall, ax, theme : as ``probabilities``.
    """
    return draw_precision_recall(Probabilities.of(trajectory(source, data), recall), ax, theme)


def draw(picture: Probabilities, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the distribution of the predictions."""
    ax, look = canvas.prepared(ax, theme)
    edges = np.asarray(picture.edges)
    sides = (("negative", picture.negative_name, look.low, -1.0), ("positive", picture.positive_name, look.high, 1.0))
    handles: list[Any] = []
    for field, name, color, sign in sides:
        ax.stairs(
            sign * np.asarray(getattr(picture.trained, field)), edges, fill=True, color=color, alpha=0.55, zorder=2
        )
        handles.append(canvas.patch(look, f"class {name}", 0.55, color))
        if picture.optimum is not None:
            ax.stairs(
                sign * np.asarray(getattr(picture.optimum, field)), edges, color=look.ink, linewidth=1.2, zorder=3
            )
    ax.axhline(0, color=look.soft, linewidth=1)
    if picture.optimum is not None:
        handles.append(canvas.line_with_star(look, "-", 1.2))
    name = "threshold" if picture.constraint is None else f"threshold for recall ≥ {percent(picture.constraint)}"
    handles.append(
        ax.axvline(picture.cut, color=look.alarm, linewidth=1.8, linestyle=(0, (4, 2)), label=name, zorder=5)
    )
    ax.set_xlim(edges[0], edges[-1])
    top = max(abs(v) for v in ax.get_ylim())
    ax.set_ylim(-top, top)
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{abs(v):,.0f}"))
    what = f"predicted probability of class {picture.positive_name}" if picture.is_probability else "score"
    canvas.label(ax, look, what, f"rows of class {picture.negative_name} (down), {picture.positive_name} (up)")
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=4 if picture.constraint is None else 3)
    return ax


def draw_calibration(picture: Probabilities, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw predicted against seen."""
    if not picture.trained.groups:
        raise PictureError("calibration needs probabilities, and this loss gives none: use the logistic loss.")
    ax, look = canvas.prepared(ax, theme)
    handles = ax.plot(
        [0, 1], [0, 1], color=look.soft, linewidth=1.2, linestyle=(0, (4, 2)), label="as predicted", zorder=1
    )
    groups = np.asarray(picture.trained.groups)
    ax.vlines(groups[:, 0], groups[:, 2], groups[:, 3], color=look.series[0], linewidth=2.2, alpha=0.45, zorder=3)
    handles += ax.plot(
        groups[:, 0], groups[:, 1], color=look.series[0], marker="o", markersize=6.5, markeredgecolor=look.page,
        linewidth=1.4,
        label=picture.trained.label, zorder=5,
    )  # fmt: skip
    if picture.optimum is not None:
        best = np.asarray(picture.optimum.groups)
        ax.plot(best[:, 0], best[:, 1], color=look.ink, linewidth=1, linestyle=(0, (1, 1)), zorder=4)
        handles.append(canvas.star(ax, look, best[:, 0], best[:, 1], size=10))
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.03, 1.03)
    canvas.label(
        ax, look, f"mean predicted probability of class {picture.positive_name}, by tenths of the rows",
        f"share of class {picture.positive_name} seen",
    )  # fmt: skip
    _entitle(ax, look, picture, picture.calibration_title, "Bars: 95 % intervals of what was seen.", "Calibration")
    canvas.legend(ax, look, handles, columns=3)
    return ax


def draw_precision_recall(picture: Probabilities, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the curve, the constraint and the threshold."""
    ax, look = canvas.prepared(ax, theme)
    handles: list[Any] = []
    if picture.constraint is not None:
        ax.axvspan(-0.02, picture.constraint, color=look.alarm, alpha=0.12, linewidth=0, zorder=0)
        handles.append(canvas.patch(look, f"recall below {percent(picture.constraint)}", 0.12, look.alarm))
    trained = picture.trained
    handles += ax.plot(
        trained.recall, trained.precision, color=look.series[0], linewidth=1.8, label=trained.label, zorder=4
    )
    if picture.optimum is not None:
        ax.plot(
            picture.optimum.recall,
            picture.optimum.precision,
            color=look.ink,
            linewidth=1.3,
            linestyle=(0, (4, 2)),
            zorder=3,
        )
        middle = len(picture.optimum.recall) // 2
        canvas.star(
            ax,
            look,
            picture.optimum.recall[middle : middle + 1],
            picture.optimum.precision[middle : middle + 1],
            size=11,
        )
        handles.append(canvas.line_with_star(look, (0, (4, 2)), 1.3))
    if math.isfinite(picture.at_cut[1]):
        handles += ax.plot(
            picture.at_cut[:1], picture.at_cut[1:], linestyle="none", marker="o", markersize=9, color=look.alarm,
            markeredgecolor=look.page, markeredgewidth=1.4, label=f"threshold {number(picture.cut)}", zorder=8,
        )  # fmt: skip
    handles.append(
        ax.axhline(picture.share, color=look.soft, linewidth=1.2, linestyle=(0, (1, 1)), label="saying yes to all")
    )
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(min(0.0, picture.share) - 0.03, 1.03)
    canvas.label(
        ax, look, f"recall: share of class {picture.positive_name} found", "precision: share right of those said"
    )
    words = f"Area under the ROC curve {number(trained.area)}"
    words += f" (optimum {number(picture.optimum.area)})." if picture.optimum is not None else "."
    _entitle(ax, look, picture, picture.curve_title, words, "Precision and recall")
    canvas.legend(ax, look, handles, columns=3)
    return ax


def _entitle(ax: Axes, look: Theme, picture: Probabilities, title: str, words: str, kind: str) -> None:
    told = f"{kind} of class {picture.positive_name}. {title}. {words} {picture.alternative}"
    canvas.entitle(
        ax, look, replace(picture, title=title, subtitle=f"{picture.trained.label}. {words}", alternative=told)
    )
