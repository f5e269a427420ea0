"""The data of the pictures of probabilities: what each set of weights predicts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.facts import calibration as calibrated
from sightline.metrics import area, sigmoid
from sightline.objective import Weights
from sightline.show.picture import Picture, PictureError, number, percent
from sightline.show.pictures.loss_surface import passed
from sightline.show.trajectories import Trajectory

BINS = 25
POINTS = 400  # of a precision-recall curve


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What one set of weights predicts.

    negative, positive : rows of each class by bins of the probability (or of the score where the loss gives none).
    groups : [mean predicted, share observed, its 95 % interval, rows] by tenths of the rows; empty without
    probabilities.
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
            raise PictureError(
                f"the pictures of probabilities need two classes; this is a problem of the {objective.loss} loss."
            )
        if recall is not None and not 0 < recall <= 1:
            raise PictureError(f"recall={recall}; it is a share and must lie above 0 and be at most 1.")
        own = path.last() if len(path) else best.weights
        if own is None:
            raise PictureError("the pictures of probabilities need weights: give a training.")
        proper = objective.loss.name == "logistic"
        values = _values(path, own, proper)
        there = None if best.weights is None else _values(path, best.weights, proper)
        reach = (
            1.0
            if proper
            else float(np.quantile(np.abs(np.concatenate([values, values if there is None else there])), 0.995)) or 1.0
        )
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
    n = len(p.recall)
    if n <= POINTS:
        return p
    keep = np.unique(np.linspace(0, n - 1, POINTS).astype(int))
    recall, precision, threshold = ([values[i] for i in keep] for values in (p.recall, p.precision, p.threshold))
    return replace(p, recall=recall, precision=precision, threshold=threshold)


def _words(
    path: Trajectory,
    trained: Predictions,
    goal: Predictions | None,
    cut: float,
    recall: float | None,
    at_cut: list[float],
    positive: str,
    proper: bool,
) -> dict[str, str]:
    what = "probability" if proper else "score"
    rule = (
        f"Saying class {positive} from {what} {number(cut)} on"
        if recall is not None
        else f"Saying class {positive} above {what} {number(cut)}"
    )
    found = f"{rule} finds {percent(at_cut[0])} of them"
    right = f"{percent(at_cut[1])} of what it says is right" if math.isfinite(at_cut[1]) else "it never says so"
    subtitle = f"{path.label + ' ' if path.label else ''}{passed(path)}".strip()
    subtitle = f"{subtitle}. " if subtitle else ""
    against = f" (optimum {number(goal.loss)})" if goal is not None and proper else ""
    best = f"Log loss {number(trained.loss)}{against}." if proper else ""
    gaps = [abs(g[0] - g[1]) for g in trained.groups]
    outside = sum(not g[2] <= g[0] <= g[3] for g in trained.groups)
    precision = percent(at_cut[1]) if math.isfinite(at_cut[1]) else "undefined"
    told = f"Predictions on {path.objective.n:,} rows. {found}; {right}. {best}"
    return {
        "title": f"{found[0].upper()}{found[1:]}",
        "subtitle": f"{subtitle}{right[0].upper()}{right[1:]}. {best}".strip(),
        "alternative": told.strip(),
        "calibration_title": f"{outside} of {len(gaps)} groups predicted outside what was seen" if gaps else "",
        "curve_title": f"Recall {percent(at_cut[0])}, precision {precision}",
    }  # fmt: skip
