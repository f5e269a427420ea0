"""The data of the decision boundary, and of the fitted line, by epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sightline.objective import Objective, Weights
from sightline.show.boundaries import Polyline, Slice, boundary, crossing, curve
from sightline.show.picture import Picture, PictureError, number, percent
from sightline.show.pictures.loss_surface import passed
from sightline.show.trajectories import Trajectory

MOST = 9  # steps drawn
POINTS = 2000  # rows drawn
FEW = 20  # rows up to which they are drawn large
RATIO = 1.65  # width to height of a picture on its own
ALIKE = 3.0  # columns whose extents are within this ratio are drawn to one scale
NARROW = 1.0  # degrees below which the direction of gradient descent is not drawn beside the widest margin


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Rows of one class (or all of a regression): places x and y."""

    name: str
    x: list[float]
    y: list[float]


@dataclass(frozen=True, kw_only=True)
class Line:
    """What the model draws at one step: straight or curved pieces, each a list of [x, y]."""

    step: int
    clock: float
    pieces: list[Polyline]


@dataclass(frozen=True, kw_only=True)
class DataSpace(Picture):
    """Rows, and what the model makes of them step by step.

    form : 'plane' (two columns: boundaries), 'axis' (one column and two classes: probabilities, or the boundary) or
    'curve' (one column and a number: the fitted line).
    box : (left, right, bottom, top) of the view; boundaries reach half its size beyond.
    lines : by step, rising.  optimum : pieces at the optimum, empty without one.
    margin : pieces of the widest margin and ``sides`` of its two sides; heading : where gradient descent is heading,
    empty where it is the same.  one_scale : a unit is as long across as up.  unit : 'epoch' or 'step'.
    """

    kind = "data_space"
    form: str
    clouds: list[Cloud]
    box: list[float]
    lines: list[Line]
    optimum: list[Polyline]
    margin: list[Polyline]
    sides: list[Polyline]
    heading: list[Polyline]
    x_name: str
    y_name: str
    unit: str
    one_scale: bool

    @classmethod
    def of(
        cls,
        path: Trajectory,
        columns: Sequence[str | int] | None = None,
        steps: Sequence[int] | None = None,
        ratio: float = RATIO,
    ) -> DataSpace:
        """The picture of a training.

        steps : places in the trajectory to draw, None for nine by equal ratios.  ratio : width to height of a plane
        whose columns are of similar size, so that right angles look right.
        """
        objective = path.objective
        part = Slice.of(objective, columns)
        form = _form(objective, part)
        clouds, y_name = _clouds(objective, part, form)
        box = _box(clouds, form, ratio)
        reach = _reach(box, form)
        chosen = chosen_steps(path) if steps is None else list(steps)
        clock = path.clock[1]
        lines = [
            Line(step=path.steps[i], clock=clock[i], pieces=pieces(objective, part, form, path.weights[i], reach))
            for i in chosen
        ]
        best = path.optimum

        def drawn(weights: Weights | None, level: float = 0.0) -> list[Polyline]:
            return [] if weights is None else pieces(objective, part, form, weights, reach, level, curved=False)

        margin = best.margin if form != "curve" else None
        heads = margin is not None and path.optimizer in ("sgd", "vanilla", "") and objective.penalty.none
        heading = best.heading if heads and angle(best.heading, margin) > NARROW else None
        return cls(
            form=form, clouds=clouds, box=list(box), lines=lines,
            optimum=[] if best.weights is None else pieces(objective, part, form, best.weights, reach),
            margin=drawn(margin), sides=drawn(margin, 1.0) + drawn(margin, -1.0) if form == "plane" else [],
            heading=drawn(heading), x_name=part.names[0], y_name=y_name, unit=path.clock[0],
            one_scale=form == "plane" and math.isclose(box[1] - box[0], ratio * (box[3] - box[2]), rel_tol=1e-6),
            **_words(path, part, form, chosen),
        )  # fmt: skip


def chosen_steps(path: Trajectory, most: int = MOST) -> list[int]:
    """Places of up to ``most`` finite steps, the first and last among them, at equal ratios of the step number."""
    n = path.finite
    if n <= most:
        return list(range(n))
    wanted = np.geomspace(max(path.steps[1], 1), path.steps[n - 1], most - 1)
    return sorted({0, n - 1, *(int(np.argmin(np.abs(np.asarray(path.steps[:n]) - v))) for v in wanted)})


def _form(objective: Objective, part: Slice) -> str:
    classes = objective.loss.targets in ("binary", "classes")
    if len(part.drawn) == 2:
        if not classes:
            raise PictureError(
                f"the {objective.loss} loss predicts numbers; choose one of its columns, columns=(0,), to see the line."
            )
        return "plane"
    if not classes and objective.outputs is None:
        return "curve"
    if objective.outputs is None:
        return "axis"
    raise PictureError("several outputs over one column are not drawn; give a model of two columns or of one output.")


def _clouds(objective: Objective, part: Slice, form: str) -> tuple[list[Cloud], str]:
    X, y, data = part.points(objective), objective.data.y.cpu(), objective.data
    keep = np.unique(np.linspace(0, len(X) - 1, min(len(X), POINTS)).astype(int))
    X, y = X[keep], y[keep]
    if form == "curve":
        return [Cloud(name="data", x=X[:, 0].tolist(), y=y.tolist())], "y"
    codes = (y > 0).long() if objective.outputs is None else y.long()
    names = [str(c) for c in data.classes or range(int(codes.max()) + 1)]
    clouds = []
    for k, name in enumerate(names):
        rows = X[codes == k]
        height = rows[:, 1].tolist() if form == "plane" else [float(k)] * len(rows)
        clouds.append(Cloud(name=name, x=rows[:, 0].tolist(), y=height))
    if form == "plane":
        return clouds, part.names[1]
    return clouds, f"probability of class {names[1]}" if objective.loss.name == "logistic" else f"class {names[1]}"


def _box(clouds: list[Cloud], form: str, ratio: float) -> tuple[float, float, float, float]:
    x, y = np.concatenate([c.x for c in clouds]), np.concatenate([c.y for c in clouds])
    few = len(x) <= FEW
    left, right = _span(x, 0.6 if few else 0.08)
    if form == "axis":
        return left, right, -0.08, 1.08
    bottom, top = _span(y, 0.6 if few else 0.12)
    width, height = right - left, top - bottom
    if form == "plane" and ratio / ALIKE <= width / height <= ratio * ALIKE:
        wide, high = max(width, ratio * height) - width, max(height, width / ratio) - height
        return left - wide / 2, right + wide / 2, bottom - high / 2, top + high / 2
    return left, right, bottom, top


def reach_of(picture: DataSpace) -> tuple[float, float, float, float]:
    """The box to which the lines of a picture are drawn."""
    left, right, bottom, top = picture.box
    return _reach((left, right, bottom, top), picture.form)


def _reach(box: tuple[float, float, float, float], form: str) -> tuple[float, float, float, float]:
    """Boundaries go half as much beyond the view on each side, for views of another shape."""
    if form != "plane":
        return box
    left, right, bottom, top = box
    wide, high = (right - left) / 2, (top - bottom) / 2
    return left - wide, right + wide, bottom - high, top + high


def _span(values: np.ndarray, pad: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = pad * ((high - low) or max(abs(high), 1.0))
    return low - room, high + room


def pieces(
    objective: Objective,
    part: Slice,
    form: str,
    weights: Weights,
    box: tuple[float, float, float, float],
    level: float = 0.0,
    curved: bool = True,
) -> list[Polyline]:
    """What a model draws in the box; ``level`` shifts a boundary to that score."""
    slopes, offsets = part.reduced(weights)
    if not bool(torch.isfinite(slopes).all() and torch.isfinite(offsets).all()):
        return []
    if form == "plane":
        return boundary(slopes, offsets, box, level)
    if form == "axis" and not (curved and objective.loss.name == "logistic"):
        at = crossing(slopes, offsets)
        return [] if at is None or not box[0] <= at <= box[1] else [[[at, 0.0], [at, 1.0]]]
    link = "sigmoid" if form == "axis" else "exp" if objective.loss.targets == "counts" else "score"
    return [curve(slopes, offsets, box[0], box[1], link)]


def angle(a: Weights | None, b: Weights | None) -> float:
    """Degrees between two coefficient vectors; 0 where either is missing or there is one column only."""
    if a is None or b is None or a.coef.ndim == 2 or len(a.coef) < 2:
        return 0.0
    u, v = a.coef / a.coef.norm(), b.coef / b.coef.norm()
    # From the chord: exact for small angles, where the cosine is one to rounding.
    return 2 * math.degrees(math.asin(min(1.0, float((u - v).norm()) / 2)))


def accuracy(objective: Objective, weights: Weights) -> float:
    """Weighted share of the rows that the weights tell rightly (a score of zero is the first class's)."""
    z, y = objective.scores(weights), objective.data.y
    right = (z > 0) == (y > 0) if z.ndim == 1 else z.argmax(1) == y
    return objective.mean(right.double())


def _words(path: Trajectory, part: Slice, form: str, chosen: list[int]) -> dict[str, str]:
    objective, best = path.objective, path.optimum
    unit, clock = path.clock
    parts = [f"{path.label}."] if path.label else []
    if not chosen:
        title = "The line at the optimum" if form == "curve" else "The boundary at the optimum"
    else:
        last, when = path.weights[chosen[-1]], passed(path)
        if form == "curve":
            (_, slope), (_, at) = (v[:, 0].tolist() if v.ndim == 2 else v.tolist() for v in part.reduced(last))
            title = f"{'Log rate' if objective.loss.targets == 'counts' else 'Line'} {_equation(slope, at)} {when}"
        else:
            title = f"{percent(accuracy(objective, last))} right {when}".strip() + _distance(path, part, form, last)
        if len(chosen) > 1:
            first, end = (number(clock[i], 4) for i in (chosen[0], chosen[-1]))
            parts.append(f"Lines from faint to strong: {unit} {first} to {end}.")
    if form == "curve" and best.weights is not None:
        slopes, offsets = part.reduced(best.weights)
        parts.append(f"Optimum: {_equation(float(slopes[1, 0]), float(offsets[1]))}.")
    if len(part.drawn) < objective.p - int(part.ones):
        parts.append("The other columns are held at their means.")
    subtitle = " ".join(parts)
    rows = f"{objective.n:,} rows over {' and '.join(part.names)}"
    there = "" if best.weights is not None else " The problem has no optimum; the widest margin is drawn instead."
    return {
        "title": title,
        "subtitle": subtitle,
        "alternative": f"{rows}, with what the model makes of them. {title}. {subtitle}{there}",
    }


def _distance(path: Trajectory, part: Slice, form: str, last: Weights) -> str:
    """How far the last boundary is from the best one."""
    goal = path.optimum.weights or path.optimum.margin
    name = "optimum" if path.optimum.weights is not None else "widest margin"
    if goal is None:
        return ""
    if form == "axis":
        at, there = (crossing(*part.reduced(w)) for w in (last, goal))
        return "" if at is None or there is None else f": boundary {number(at)}, {name} {number(there)}"
    if path.objective.outputs is None and path.objective.p - int(part.ones) >= 2:
        return f", {number(angle(_bare(last, part), _bare(goal, part)), 3)}° from the {name}"
    return ""


def _bare(weights: Weights, part: Slice) -> Weights:
    return Weights(weights.coef[:-1], weights.coef[-1]) if part.ones else weights


def _equation(slope: float, at: float) -> str:
    return f"{number(slope, 4)}\u00a0x\u00a0{'−' if at < 0 else '+'}\u00a0{number(abs(at), 4)}"  # not to be broken
