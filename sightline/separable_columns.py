"""Columns that separate on their own: those in which one class has only higher values, or equal ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.cone import Cone, Mask
from sightline.exact import Floats, Integers, as_integers
from sightline.objective import Objective

SAMPLE = 500  # rows of each class that are looked at first


def column_directions(cone: Cone, left: Mask) -> Integers | None:
    """The sum of all single-column directions on the margins left, each with its threshold in the intercept;
    None where there are none.  (Q, K) integers in the user's units."""
    U: list[list[Fraction]] = [[Fraction(0)] * cone.classes for _ in range(cone.size)]
    found = False
    for c, s, at, good, moves in _thresholds(cone, left):
        for j in np.flatnonzero(good & moves):
            step = Fraction(s) / Fraction(float(cone.scale[j]))
            U[j][c] += step
            if cone.intercept:
                U[cone.p][c] -= step * Fraction(float(at[j] * s))
            found = True
    return integer_direction(U) if found else None


def _thresholds(cone: Cone, left: Mask) -> Iterator[tuple[int, int, Floats, Mask, Mask]]:
    """For each output and sign: the threshold of each column, whether it separates, and whether anything moves."""
    live = left.any(1)
    for c in range(cone.classes):
        if cone.codes is None:
            up, down = live & (cone.sign > 0) & ~cone.equal, live & (cone.sign < 0) & ~cone.equal
        else:
            up, down = live & (cone.codes == c), left[:, c] & (cone.codes != c)
        ranges = [_range(cone, rows) for rows in (up, down, cone.equal)]
        for s in (1,) if cone.nonnegative else (1, -1):
            (low_u, _), (_, high_d), (low_f, high_f) = (r if s == 1 else (-r[1], -r[0]) for r in ranges)
            if cone.intercept:
                lower, upper = np.maximum(high_d, high_f), np.minimum(low_u, low_f)
                good = (lower <= upper) & (np.isfinite(lower) | np.isfinite(upper))
                with np.errstate(all="ignore"):
                    middle = np.where(np.isfinite(lower) & np.isfinite(upper), lower / 2 + upper / 2, lower)
                    at = np.where(np.isfinite(middle), np.clip(middle, lower, upper), upper)
            else:
                good = (np.maximum(high_d, high_f) <= 0) & (np.minimum(low_u, low_f) >= 0)
                at = np.zeros(cone.p)
            yield c, s, at, good, _spread(ranges, at * s)


def separates_at_once(objective: Objective) -> bool:
    """Some column separates on its own, or a class has no rows: seen in a sample, then on all rows.  Costs next to
    nothing where that is not so."""
    data, y = objective.data, objective.data.y
    penalised = objective.penalty.l1 > 0 or objective.penalty.l2 > 0
    if objective.loss.name == "softmax" and penalised:
        return objective.intercept and bool((torch.bincount(y, minlength=objective.outputs or 0) == 0).any())
    if objective.loss.name == "softmax":
        kinds = [y == c for c in range(objective.outputs or 0)]
    elif objective.loss.name == "poisson":
        kinds = [y == 0, y > 0]
    else:
        kinds = [y > 0, y <= 0]
    places = [kind.nonzero()[:, 0] for kind in kinds]
    if any(len(rows) == 0 for rows in places) and (objective.intercept or objective.penalty.none):
        return True
    if penalised:
        return False
    index = torch.cat([rows[:: max(1, len(rows) // SAMPLE)][: 2 * SAMPLE] for rows in places])
    cone = Cone(_part(objective, index, None))
    good = np.zeros(cone.p, dtype=bool)
    for _, _, _, separates, _ in _thresholds(cone, cone.active):
        good |= separates
    if len(index) == data.n or not good.any():
        return bool(good.any()) and column_directions(cone, cone.active) is not None
    columns = torch.from_numpy(np.flatnonzero(good)).to(data.design.device)
    cone = Cone(_part(objective, None, columns))
    return column_directions(cone, cone.active) is not None


def _part(objective: Objective, rows: Tensor | None, columns: Tensor | None) -> Objective:
    data = objective.data
    design, y = data.design, data.y
    if rows is not None:
        design, y = design.rows(rows), y[rows]
    elif columns is not None and len(columns) < design.p:
        design = design.columns(columns)
    return replace(objective, data=replace(data, design=design, y=y, weight=None, offset=None, columns=None))


def _range(cone: Cone, rows: Mask) -> tuple[Floats, Floats]:
    """Lowest and highest value of each column over the rows; (inf, -inf) over none."""
    if not rows.any():
        return np.full(cone.p, np.inf), np.full(cone.p, -np.inf)
    X: Any = cone.X if rows.all() else cone.X[rows]
    if cone.sparse:
        return np.asarray(X.min(axis=0).todense()).reshape(-1), np.asarray(X.max(axis=0).todense()).reshape(-1)
    return X.min(axis=0), X.max(axis=0)


def _spread(ranges: list[tuple[Floats, Floats]], at: Floats) -> Mask:
    """Columns that differ somewhere, among the rows that can fall, from the threshold."""
    moves = np.zeros(len(at), dtype=bool)
    for low, high in ranges[:2]:
        some = np.isfinite(low)
        moves = moves | (some & ((low != at) | (high != at)))
    return moves


def integer_direction(U: list[list[Fraction]]) -> Integers:
    """The shortest integer direction along a rational one."""
    whole = as_integers([f for row in U for f in row]) if any(f for row in U for f in row) else [0] * sum(map(len, U))
    return np.array(whole, dtype=object).reshape(len(U), -1)
