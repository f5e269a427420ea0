"""Probabilities, calibration, precision and recall: what do predictions cost?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.facts import calibration as calibrated
from sightline.metrics import area, sigmoid
from sightline.objective import Weights
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, number, percent
from sightline.show.pictures.loss_surface import passed
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 25
POINTS = 400  # of a precision-recall curve


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What one set of weights predicts.

    negative, positive : rows of each class by bins of the probability (or of the score where the loss gives none).
    groups : [mean predicted, share observed, its 95 % interval, rows] by tenths of the rows; empty without probabilities.
    recall, precision, threshold : along falling thresholds; the last is the bin axis's number.
    loss : mean log loss, NaN without probabilities.
    """

    label: str
    negative: list[int]
    positive: list[int]
    groups: list[list[float]]
    recall: list[float]
    precision: list[float]
    threshold: list[float]
    loss: float
    area: float


@dataclass(frozen=True, kw_only=True)
class Probabilities(Picture):
    """Predictions at the trained weights and at the optimum's, of two classes.

    edges : of the bins.  is_probability : whether the axis is a probability or a score.
    cut : the threshold that is used: 1/2 (score 0), or the highest with which the constraint holds.
    constraint : the least recall asked for, None for none.  at_cut : recall and precision there.
    share : of the positive class among the rows: the precision of saying yes to all.
    """

    kind = "probabilities"
    trained: Predictions
    optimum: Predictions | None
    edges: list[float]
    is_probability: bool
    positive_name: str
    negative_name: str
    cut: float
    constraint: float | None
    at_cut: list[float]
    share: float
    calibration_title: str
    curve_title: str

    @classmethod
    def of(cls, path: Trajectory, recall: float | None = None) -> Probabilities:
        """Predictions of a training on its rows; ``recall`` : the least that is asked for."""
        objective, best = path.objective, path.optimum
        if objective.loss.targets != "binary" or getattr(objective.loss, "soft", False):
            raise PictureError(f"the pictures of probabilities need two classes; this is a problem of the {objective.loss} loss.")
        if recall is not None and not 0 < recall <= 1:
            raise PictureError(f"recall={recall}; it is a share and must lie above 0 and be at most 1.")
        own = path.last() if len(path) else best.weights
        if own is None:
            raise PictureError("the pictures of probabilities need weights: give a training.")
        proper = objective.loss.name == "logistic"
        values = _values(path, own, proper)
        there = None if best.weights is None else _values(path, best.weights, proper)
        reach = 1.0 if proper else float(np.quantile(np.abs(np.concatenate([values, values if there is None else there])), 0.995)) or 1.0
        edges = np.linspace(0.0 if proper else -reach, reach, BINS + 1)
        trained = _predictions(path, path.label or "trained", values, edges, proper)
        goal = None if there is None else _predictions(path, "optimum", there, edges, proper)
        cut = 0.5 if proper else 0.0
        if recall is not None:
            cut = next(t for t, r in zip(trained.threshold, trained.recall, strict=True) if r >= recall - 1e-12)
        at_cut = list(at_threshold(path, values, cut, recall is not None))
        names = [str(c) for c in objective.data.classes or (0, 1)]
        share = objective.mean((objective.data.y > 0).double())
        words = _words(path, trained, goal, cut, recall, at_cut, names[1], proper)
        return cls(
            trained=_thinned(trained), optimum=None if goal is None else _thinned(goal), edges=edges.tolist(),
            is_probability=proper, positive_name=names[1], negative_name=names[0], cut=float(cut), constraint=recall,
            at_cut=at_cut, share=share, **words,
        )  # fmt: skip


def _values(path: Trajectory, weights: Weights, proper: bool) -> Any:
    z = path.objective.scores(weights).cpu().numpy()
    return sigmoid(z) if proper else z


def _row_weights(path: Trajectory) -> Any:
    weight = path.objective.data.weight
    return np.ones(path.objective.n) if weight is None else weight.cpu().numpy()


def _predictions(path: Trajectory, label: str, values: Any, edges: Any, proper: bool) -> Predictions:
    yes = path.objective.data.y.cpu().numpy() > 0
    w = _row_weights(path)
    bins = [np.histogram(np.clip(values[k], edges[0], edges[-1]), bins=edges)[0].tolist() for k in (~yes, yes)]
    recall, precision, threshold = curve(values, yes, w)
    groups = calibrated(values, yes.astype(np.float64), w) if proper else []
    tiny = 1e-300
    loss = float(-(w / w.sum()) @ np.log(np.maximum(np.where(yes, values, 1 - values), tiny))) if proper else math.nan
    return Predictions(
        label=label, negative=bins[0], positive=bins[1], groups=groups, recall=recall, precision=precision,
        threshold=threshold, loss=loss, area=area(values, yes.astype(int), w) or math.nan,
    )  # fmt: skip


def curve(values: Any, yes: Any, w: Any) -> tuple[list[float], list[float], list[float]]:
    """Recall and precision of saying yes from each value on (``value >= threshold``), thresholds falling."""
    order = np.argsort(-values, kind="stable")
    hits, said = np.cumsum((w * yes)[order]), np.cumsum(w[order])
    last = np.flatnonzero(np.r_[np.diff(values[order]) != 0, True])  # equal values are said yes to together
    return (hits[last] / hits[-1]).tolist(), (hits[last] / said[last]).tolist(), values[order][last].tolist()


def at_threshold(path: Trajectory, values: Any, cut: float, inclusive: bool) -> tuple[float, float]:
    """Recall and precision of saying yes above a threshold (or from it on)."""
    yes, w = path.objective.data.y.cpu().numpy() > 0, _row_weights(path)
    said = values >= cut if inclusive else values > cut
    hits = float(w[said & yes].sum())
    return hits / float(w[yes].sum()), hits / float(w[said].sum()) if said.any() else math.nan


def _thinned(p: Predictions) -> Predictions:
    from dataclasses import replace

    n = len(p.recall)
    if n <= POINTS:
        return p
    keep = np.unique(np.linspace(0, n - 1, POINTS).astype(int))
    return replace(p, **{k: [getattr(p, k)[i] for i in keep] for k in ("recall", "precision", "threshold")})


def _words(
    path: Trajectory, trained: Predictions, goal: Predictions | None, cut: float, recall: float | None,
    at_cut: list[float], positive: str, proper: bool,
) -> dict[str, str]:
    what = "probability" if proper else "score"
    rule = f"Saying {positive} from {what} {number(cut)} on" if recall is not None else f"Saying {positive} above {what} {number(cut)}"
    found = f"{rule} finds {percent(at_cut[0])} of them"
    right = f"{percent(at_cut[1])} of what it says is right" if math.isfinite(at_cut[1]) else "it never says so"
    subtitle = f"{path.label + ' ' if path.label else ''}{passed(path)}".strip()
    subtitle = f"{subtitle}. " if subtitle else ""
    against = f" (optimum {number(goal.loss)})" if goal is not None and proper else ""
    best = f"Log loss {number(trained.loss)}{against}." if proper else ""
    gaps = [abs(g[0] - g[1]) for g in trained.groups]
    outside = sum(not g[2] <= g[0] <= g[3] for g in trained.groups)
    told = f"Predictions on {path.objective.n:,} rows. {found}; {right}. {best}"
    return {
        "title": f"{found[0].upper()}{found[1:]}", "subtitle": f"{subtitle}{right[0].upper()}{right[1:]}. {best}".strip(),
        "alternative": told.strip(),
        "calibration_title": f"{outside} of {len(gaps)} groups predicted outside what was seen" if gaps else "",
        "curve_title": f"Recall {percent(at_cut[0])}, precision {percent(at_cut[1]) if math.isfinite(at_cut[1]) else 'undefined'}",
    }  # fmt: skip


def probabilities(
    source: Any, data: Any = None, *, recall: float | None = None, ax: Axes | None = None, theme: str | Theme | None = None
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


def calibration(
    source: Any, data: Any = None, *, ax: Axes | None = None, theme: str | Theme | None = None
) -> Axes:
    """Predicted probability against what was seen, by tenths of the rows, with Wilson's 95 % intervals, beside the
    optimum's.

    source, data, ax, theme : as ``probabilities``, of the logistic loss.

    Raises
    ------
    PictureError : the loss gives no probabilities.
    """
    return draw_calibration(Probabilities.of(trajectory(source, data)), ax, theme)


def precision_recall(
    source: Any, data: Any = None, *, recall: float | None = None, ax: Axes | None = None, theme: str | Theme | None = None
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
        ax.stairs(sign * np.asarray(getattr(picture.trained, field)), edges, fill=True, color=color, alpha=0.55, zorder=2)
        handles.append(canvas.patch(look, f"class {name}", 0.55, color))
        if picture.optimum is not None:
            ax.stairs(sign * np.asarray(getattr(picture.optimum, field)), edges, color=look.ink, linewidth=1.2, zorder=3)
    ax.axhline(0, color=look.soft, linewidth=1)
    if picture.optimum is not None:
        handles.append(canvas.line_with_star(look, "-", 1.2))
    name = "threshold" if picture.constraint is None else f"threshold for recall ≥ {percent(picture.constraint)}"
    handles.append(ax.axvline(picture.cut, color=look.alarm, linewidth=1.8, linestyle=(0, (4, 2)), label=name, zorder=5))
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
    handles = ax.plot([0, 1], [0, 1], color=look.soft, linewidth=1.2, linestyle=(0, (4, 2)), label="as predicted", zorder=1)
    groups = np.asarray(picture.trained.groups)
    ax.vlines(groups[:, 0], groups[:, 2], groups[:, 3], color=look.series[0], linewidth=2.2, alpha=0.45, zorder=3)
    handles += ax.plot(
        groups[:, 0], groups[:, 1], color=look.series[0], marker="o", markersize=6.5, markeredgecolor=look.page, linewidth=1.4,
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
    handles += ax.plot(trained.recall, trained.precision, color=look.series[0], linewidth=1.8, label=trained.label, zorder=4)
    if picture.optimum is not None:
        ax.plot(picture.optimum.recall, picture.optimum.precision, color=look.ink, linewidth=1.3, linestyle=(0, (4, 2)), zorder=3)
        middle = len(picture.optimum.recall) // 2
        canvas.star(ax, look, picture.optimum.recall[middle : middle + 1], picture.optimum.precision[middle : middle + 1], size=11)
        handles.append(canvas.line_with_star(look, (0, (4, 2)), 1.3))
    if math.isfinite(picture.at_cut[1]):
        handles += ax.plot(
            picture.at_cut[:1], picture.at_cut[1:], linestyle="none", marker="o", markersize=9, color=look.alarm,
            markeredgecolor=look.page, markeredgewidth=1.4, label=f"threshold {number(picture.cut)}", zorder=8,
        )  # fmt: skip
    handles.append(ax.axhline(picture.share, color=look.soft, linewidth=1.2, linestyle=(0, (1, 1)), label="saying yes to all"))
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(min(0.0, picture.share) - 0.03, 1.03)
    canvas.label(ax, look, f"recall: share of class {picture.positive_name} found", "precision: share right of those said")
    words = f"Area under the ROC curve {number(trained.area)}"
    words += f" (optimum {number(picture.optimum.area)})." if picture.optimum is not None else "."
    _entitle(ax, look, picture, picture.curve_title, words, "Precision and recall")
    canvas.legend(ax, look, handles, columns=3)
    return ax


def _entitle(ax: Axes, look: Theme, picture: Probabilities, title: str, words: str, kind: str) -> None:
    from dataclasses import replace

    told = f"{kind} of class {picture.positive_name}. {title}. {words} {picture.alternative}"
    canvas.entitle(ax, look, replace(picture, title=title, subtitle=f"{picture.trained.label}. {words}", alternative=told))
