"""What a replay page draws: everything about a training, frame by frame, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sightline.certificate import Verdict
from sightline.losses import Loss
from sightline.objective import Weights
from sightline.recipes.result import Training
from sightline.show.picture import PictureError, percent
from sightline.show.pictures.curvature import Curvature, eigen_directions
from sightline.show.pictures.loss_surface import LossSurface
from sightline.show.pictures.norm_and_direction import NormAndDirection
from sightline.show.plane import Plane, free_weights, plane_of, weight_names
from sightline.show.replay_frames import MOST_FRAMES, MOST_POINTS, Frames, short, shortened, thinned
from sightline.show.replay_saved import own_units, with_rows
from sightline.show.replay_space import Sample, Scores, class_names, classes_of, flat, sample, space
from sightline.show.trajectories import Trajectory, trajectory

VERSION = 1
GRID = 51  # points of the surface each way
FEW = 40  # steps that the view of the surface is laid around
BARS = 12  # coefficients shown one by one
MOST_LABELS = 8  # classes named
MOST_OUTPUTS = 1000  # scores of a row; of more no row is shown


@dataclass(frozen=True)
class Units:
    """value · factor + constant: an objective's value in the recipe's own units.  ``known``: those are known."""

    factor: float
    constant: float = 0.0
    known: bool = True

    @classmethod
    def of(cls, source: Any, path: Trajectory | None) -> Units:
        """Those of a training; of all else they are the objective's own."""
        factor = 1.0 if path is None else path.factor
        if not isinstance(source, Training) or source.loss is None:
            return cls(factor)
        if source.minimised is not None:
            return cls(source.minimised.factor, source.minimised.constant)
        found = own_units(source)
        return cls(1.0, known=False) if found is None else cls(*found)

    def __call__(self, value: Any) -> Any:
        """A value, or several."""
        return value * self.factor + self.constant


@dataclass(frozen=True)
class Replay:
    """A training, ready for its page.

    data : what the page's script reads.  frames : its steps.
    path : the weights at the frames, None where the training's problem is not one of a linear model or its rows are not
        known.  reason : then why.
    notes : sentences on what was left out or drawn otherwise.
    units : from the objective's values to the recipe's own loss, in which all is told: ``nn.MSELoss`` is not halved.
    """

    data: dict[str, Any]
    frames: Frames
    path: Trajectory | None
    reason: str
    notes: list[str]
    units: Units


def replay_of(source: Any, data: Any = None) -> Replay:
    """The replay of a training.

    source, data : what ``sl.show.trajectory`` takes.  A training without rows, or of a module that is not linear, is
        replayed by its losses alone.

    Raises
    ------
    PictureError : there is no training in it, or no step was recorded.
    """
    trained = isinstance(source, Training)
    try:
        loaded = trained and source.objective is None
        whole = with_rows(source, data) if loaded else trajectory(source, data)
        reason = ""
    except PictureError as error:
        if not trained or data is not None:
            raise
        whole, reason = None, str(error)
    trace = source.trace if trained else None
    steps = whole.steps[: whole.finite] if whole is not None else list(trace.step if trace is not None else ())
    if not steps:
        raise PictureError("no step of the training was recorded: train with record='auto', or a number of steps.")
    chosen = thinned(steps)
    path = None if whole is None else _thinned(whole, chosen)
    units = Units.of(source, whole)
    frames = _frames(whole, trace, steps, chosen, units)
    told: dict[str, Any] = {
        "version": VERSION, "frames": frames.as_dict(), "uneven": frames.uneven, "stepname": "step",
        "surface": None, "space": None, "scores": None, "weights": None, "shape": None, "optimum": None,
        "direction": None, "bars": None, "curve": None, "labels": None, "steepness": None,
    }  # fmt: skip
    if frames.uneven:
        told["stepname"] = "step (logarithmic)"
    notes = [frames.rule]
    if path is not None:
        assert whole is not None
        notes += _fill(told, path)
        told["optimum"] = _optimum(path, trace is not None, units)
        if len(free_weights(path.objective)) > 1:
            told["surface"] = surface(path, [whole.weights[i] for i in frames.places], units.constant)
        else:
            notes.append("The model has one weight, so there is no surface to draw.")
    elif source.optimum is not None:
        proof = source.optimum.certificate
        attained = proof.verdict is not Verdict.NO_MINIMUM
        told["optimum"] = {"loss": None, "gap": short(proof.gap * units.factor), "attained": attained}
    return Replay(told, frames, path, reason, notes, units)


def _thinned(path: Trajectory, chosen: Sequence[int]) -> Trajectory:
    def at(values: list[float] | None) -> list[float] | None:
        return None if values is None else [values[i] for i in chosen]

    return replace(
        path, weights=[path.weights[i] for i in chosen], steps=[path.steps[i] for i in chosen], epochs=at(path.epochs),
        seconds=at(path.seconds), known_optimum=path.optimum,
    )  # fmt: skip


def _frames(
    whole: Trajectory | None, trace: Any, steps: Sequence[int], chosen: list[int], units: Units
) -> Frames:
    """The frames and the curves, with the numbers of the trace where there is one, else of the weights."""
    places = sorted({*thinned(steps, MOST_POINTS - MOST_FRAMES), *chosen})
    known: dict[str, Any]
    if trace is not None:
        row = {step: i for i, step in enumerate(trace.step)}  # more of them than steps of a path on many rows
        shown = {row[steps[i]]: trace.judged(row[steps[i]]) for i in places}
        known = {"epoch": trace.epoch, "rate": trace.learning_rate, "batch": trace.batch_loss,
                 "loss": {i: loss for i, (_, loss, _, _) in shown.items()},
                 "gap": {i: gap * units.factor for i, (*_, gap) in shown.items()}}  # fmt: skip
    else:
        assert whole is not None
        unknown = [math.nan] * len(steps)
        bound, values = whole.lowest - whole.factor * whole.optimum.gap, whole.values
        known = {"epoch": whole.epochs or unknown, "rate": unknown, "batch": unknown, "loss": values,
                 "gap": [max(v - bound, 0.0) for v in values]}  # fmt: skip
        row = {step: i for i, step in enumerate(steps)}

    def column(name: str, where: list[int]) -> list[float | None]:
        values = [float(known[name][row[steps[i]]]) for i in where]
        return [v if math.isfinite(v) else None for v in values]

    place = {p: i for i, p in enumerate(places)}
    return Frames(
        step=[int(steps[i]) for i in chosen], epoch=column("epoch", chosen), rate=column("rate", chosen),
        at=[place[i] for i in chosen], places=places, points=[int(steps[i]) for i in places],
        batch=column("batch", places), loss=column("loss", places), gap=column("gap", places), recorded=len(row),
    )  # fmt: skip


def _fill(told: dict[str, Any], path: Trajectory) -> list[str]:
    """Add what is drawn of weights and rows; sentences on how."""
    objective = path.objective
    notes = []
    if (objective.outputs or 1) <= MOST_OUTPUTS:
        rows = sample(objective)
        notes = [rows.words, *_rows(told, path, rows)]
    else:
        notes.append(f"The rows are not shown: each has {objective.outputs:,} scores.")
    told["direction"] = _direction(path)
    told["bars"] = _bars(path)
    told["steepness"] = _steepness(path)
    return notes


def _rows(told: dict[str, Any], path: Trajectory, rows: Sample) -> list[str]:
    """Add what is drawn of some rows; sentences on how."""
    objective = path.objective
    scores = Scores.of(path, rows)
    truth = classes_of(rows.y) if objective.loss.targets in ("binary", "classes") else None
    target = rows.y.double().reshape(-1).tolist() if rows.y.dtype != torch.int64 else []
    told["shape"] = [rows.features, objective.outputs or 1]
    told["scores"] = {"truth": truth, "target": shortened(target, 5)}
    told["space"] = {"classes": truth or [0] * len(target), **space(path, rows, scores)}
    told["labels"] = None if truth is None else class_names(objective)[: MOST_LABELS + 1]
    told["curve"] = _curve(objective.loss, path, rows, scores)
    if told["space"]["kind"] in ("plane", "lanes", "line"):
        told["weights"] = [flat(w, rows.ones) for w in path.weights]
        told["scores"]["X"] = [shortened(row, 5) for row in rows.X[:, : rows.features].tolist()]
        return []
    told["scores"].update(scores.as_dict())
    notes = ["The rows are drawn by their scores, for which any number of features leaves room."]
    if scores.error > 2e-3:
        notes.append(f"Scores are drawn to within {percent(scores.error)} of their range.")
    return notes


def surface(path: Trajectory, weights: Sequence[Weights], constant: float) -> dict[str, Any]:
    """The loss surface around a path, on a grid of at most ``GRID`` points each way, with these weights as the path.

    constant : what the recipe's loss has besides.
    """
    plane = plane_of([path])
    found = LossSurface.of([_outline(path, plane)], plane)
    line = plane.coordinates(torch.stack([w.flat().cpu() for w in weights])).tolist()
    top = 3 * abs(found.levels[-1]) + 1  # all above the highest contour are alike
    values = np.nan_to_num(np.asarray(found.value), nan=top, posinf=top).clip(max=top)
    if len(found.x) > GRID:
        x, y = (np.linspace(places[0], places[-1], GRID) for places in (found.x, found.y))
        values = np.stack([np.interp(x, found.x, row) for row in values])
        values = np.stack([np.interp(y, found.y, column) for column in values.T], axis=1)
    return {
        "x": shortened([found.x[0], found.x[-1]]), "y": shortened([found.y[0], found.y[-1]]),
        "z": [shortened(row, 5) for row in (values + constant).tolist()],
        "levels": shortened([v + constant for v in found.levels[1:]]), "lowest": short(found.levels[0] + constant),
        "xname": found.x_name, "yname": found.y_name, "name": found.value_name, "share": short(found.share, 4),
        "path": [shortened(place, 5) for place in line],
        "optimum": None if found.optimum is None else shortened(found.optimum),
        "ray": None if found.ray is None else shortened(found.ray), "alt": found.alternative,
    }  # fmt: skip


def _outline(path: Trajectory, plane: Plane) -> Trajectory:
    """Few steps of a path that reach as far as all of them do in the plane: what a view around it needs."""
    places = plane.coordinates(path.flat.cpu())
    outer = {int(i) for i in torch.cat([places.argmin(0), places.argmax(0)])}
    return _thinned(path, sorted(outer.union(thinned(path.steps, FEW))))


def _optimum(path: Trajectory, bare: bool, units: Units) -> dict[str, Any]:
    """The certified optimum: its loss (``bare`` of the penalty, as a recipe's is, or with it), how closely the value is
    known, and whether it is attained."""
    best = path.optimum
    loss = best.value
    if bare and best.weights is not None:
        loss = path.objective.evaluate(best.weights, keep_rows=False).loss
    gap = short(best.gap * units.factor)
    return {"loss": short(units(loss)) if units.known else None, "gap": gap, "attained": best.weights is not None}


def _direction(path: Trajectory) -> dict[str, Any] | None:
    """Length and direction of the weights by frame; None where there is no direction to compare with."""
    try:
        found = NormAndDirection.of([path])
    except PictureError:
        return None
    turning = found.turnings[0]
    place = {clock: i for i, clock in enumerate(path.clock[1])}
    norm: list[float | None] = [0.0] * len(path)
    degrees: list[float | None] = [None] * len(path)  # of weights that are zero
    for clock, length, angle in zip(turning.clock, turning.norm, turning.degrees, strict=True):
        norm[place[clock]], degrees[place[clock]] = length, angle
    return {
        "norm": shortened(norm, 5), "degrees": shortened(degrees, 5), "vector": found.vector,
        "reference": f"the {found.goal}", "optimum": short(found.goal_norm), "heading": short(found.heading),
    }  # fmt: skip


def _steepness(path: Trajectory) -> dict[str, Any] | None:
    """Curvatures at the optimum and, by frame, the distance from it along each; None without an optimum, of losses made
    of straight pieces, and of more directions than a picture holds."""
    best = path.optimum.weights
    if best is None or not 2 <= len(free_weights(path.objective)) <= BARS:
        return None
    try:
        found = Curvature.of(path)
    except PictureError:
        return None
    _, vectors = eigen_directions(path.objective, best)
    away = (path.flat.cpu() - best.flat().cpu()) @ vectors[:, -len(found.curvature) :]
    return {
        "curvature": shortened(found.curvature, 5), "limit": short(found.limit),
        "away": [shortened(row, 4) for row in away.abs().tolist()],
    }  # fmt: skip


def _bars(path: Trajectory) -> dict[str, Any] | None:
    """The weights one by one beside the optimum's: all of few, else those that are farthest from it at the end."""
    objective, best = path.objective, path.optimum.weights
    names, free = weight_names(objective), free_weights(objective)
    steps = path.flat[:, free].cpu()
    at = None if best is None else best.flat().cpu()[free]
    chosen = list(range(len(free)))
    if len(chosen) > BARS:
        far = steps[-1].abs() if at is None else (steps[-1] - at).abs()
        chosen = sorted(far.argsort(descending=True)[:BARS].tolist())
    if len(chosen) < 3:  # two are the axes of the surface
        return None
    return {
        "names": [names[i] for i in chosen], "now": [shortened(row, 5) for row in steps[:, chosen].tolist()],
        "optimum": None if at is None else shortened(at[chosen].tolist(), 5), "left": len(free) - len(chosen),
        "xname": "weight",
    }  # fmt: skip


def _curve(loss: Loss, path: Trajectory, rows: Sample, scores: Scores) -> dict[str, Any] | None:
    """The loss of a row as a function of its score, where it is one: of the score towards the true class, or of the
    residual."""
    binary = loss.targets == "binary" and bool((rows.y.abs() == 1).all())
    if not binary and not (loss.targets == "real" and rows.y.ndim == 1):
        return None
    y = rows.y.double()
    z = scores.base + scores.coordinates @ scores.basis
    along = (z * y if binary else z - y)[len(path) // 3 :].reshape(-1)
    low, high = (float(torch.quantile(along, q)) for q in (0.005, 0.995)) if len(along) < 1 << 24 else (-1.0, 1.0)
    reach = max(high, -low, 1.0)
    x = torch.linspace(-reach, reach, 81, dtype=torch.float64)
    values = loss.value(x, torch.ones_like(x) if binary else torch.zeros_like(x))
    top = float(values.max())
    return {
        "x": shortened(x.tolist(), 5), "y": shortened(values.tolist(), 5),
        "range": shortened([-0.04 * top, 1.04 * top]),
        "residual": not binary, "yname": "½ squared error of a row" if loss.name == "squared" else "loss of a row",
        "xname": "score towards the true class" if binary else "prediction less target",
        "alt": f"The {loss.name.replace('_', ' ')} loss of a row by its "
        + ("score towards the true class" if binary else "residual") + ", with the rows shown on it.",
    }  # fmt: skip
