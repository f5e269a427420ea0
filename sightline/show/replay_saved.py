"""Trainings that were loaded from a file: it holds weights, losses and the certified optimum, but neither the rows nor
what the loss was made of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from sightline.data import Data
from sightline.objective import Objective
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.result import Training
from sightline.show.optimum import Optimum
from sightline.show.picture import PictureError, number
from sightline.show.trajectories import Trajectory, objective_of, trajectory

SAME = 1e-6  # relative difference up to which two values of an objective are the same
GIVE = "give those it was trained on, data=(X, y); on the command line --data FILE --target COLUMN"


def with_rows(training: Training, data: Any) -> Trajectory:
    """Where a loaded training went, on its rows.

    data : (X, y), or the ``Objective``.

    Raises
    ------
    PictureError : no rows are given, or the recorded values of the objective are not theirs.
    """
    if training.loss is None:
        raise PictureError(f"no linear model was trained: {training.sentence}")
    if data is None:
        raise PictureError(f"the rows are not in the file of a training: {GIVE}.")
    kept = training.kept
    plain = objective_of(training, data)
    if kept is not None and kept.row_weights is not None and not isinstance(data, Data | Objective):
        if len(kept.row_weights) != plain.data.n:
            raise PictureError(f"there are {plain.data.n} rows, and {len(kept.row_weights)} were trained on: {GIVE}.")
        plain = replace(plain, data=replace(plain.data, weight=kept.row_weights))
    # A penalty on the intercept too is no part of a ``Penalty``.
    on_bias = training.penalty.l2 if kept is None else kept.bias_strength
    both = RecipeObjective(plain.data, plain.loss, plain.penalty, plain.intercept, on_bias)
    objective = next((o for o in (plain, both) if _recorded(training, o)), None)
    if objective is None:
        value, known = plain.value(training.trace.weights[-1][1]), training.trace.value[-1]
        raise PictureError(
            f"these rows give {number(value, 6)} at the end of the training, which recorded {number(known, 6)}: {GIVE}."
        )
    path = trajectory(training, objective)
    best, weights = training.optimum, training.optimum_weights
    if best is not None and weights is not None:
        path = replace(path, known_optimum=Optimum.of(objective, weights, best.certificate))
    units = own_units(training)
    return path if units is None else replace(path, factor=units[0])


def _recorded(training: Training, objective: Objective) -> bool:
    """Whether the objective has the values at the last finite weights that were recorded."""
    for (_, weights), value in zip(reversed(training.trace.weights), reversed(training.trace.value)):
        if math.isfinite(value):
            return math.isclose(objective.value(weights), value, rel_tol=SAME, abs_tol=1e-12)
    return False


def own_units(training: Training) -> tuple[float, float] | None:
    """(factor, constant): the recipe's own loss is factor · mean loss of the objective + constant, as (2, 0) for
    ``nn.MSELoss``; from what was recorded of both.

    None where that cannot be told, as in files of before it was kept with a penalty on the intercept.
    """
    if training.kept is not None:
        return training.kept.factor, training.kept.constant
    trace, penalty = training.trace, training.penalty
    known = sorted(
        (value - penalty.value(weights.coef), loss)
        for (_, weights), value, loss in zip(trace.weights, trace.value, trace.loss, strict=True)
        if math.isfinite(value) and math.isfinite(loss)
    )
    if not known or not known[-1][0] - known[0][0] > SAME * abs(known[-1][0]):
        return None
    (low, own_low), (middle, own), (high, own_high) = known[0], known[len(known) // 2], known[-1]
    factor = (own_high - own_low) / (high - low)
    constant = own_low - factor * low
    if not math.isclose(constant + factor * middle, own, rel_tol=1e-4):
        return None
    return factor, constant if abs(constant) > 1e-6 * abs(own_high) else 0.0
