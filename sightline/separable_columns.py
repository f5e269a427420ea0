"""Columns that separate on their own: those in which one class has only higher values, or equal ones."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from sightline.cone import Cone, Mask
from sightline.exact import Floats, Integers, as_integers


def column_directions(cone: Cone, left: Mask) -> Integers | None:
    """The sum of all single-column directions on the margins left, each with its threshold in the intercept;
    None where there are none.  (Q, K) integers in the user's units."""
    outputs = range(cone.classes)
    U: list[list[Fraction]] = [[Fraction(0)] * cone.classes for _ in range(cone.size)]
    live = left.any(1)
    found = False
    for c in outputs:
        if cone.codes is None:
            up, down = live & (cone.sign > 0) & ~cone.equal, live & (cone.sign < 0) & ~cone.equal
        else:
            up, down = live & (cone.codes == c), left[:, c] & (cone.codes != c)
        ranges = [_range(cone, rows) for rows in (up, down, cone.equal)]
        for s in (1, -1):
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
            moves = _spread(ranges, at * s)
            for j in np.flatnonzero(good & moves):
                if cone.nonnegative and s < 0:
                    continue
                step = Fraction(s) / Fraction(float(cone.scale[j]))
                U[j][c] += step
                if cone.intercept:
                    U[cone.p][c] -= step * Fraction(float(at[j] * s))
                found = True
    return integer_direction(U) if found else None


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
