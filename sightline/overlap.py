"""Why no hyperplane separates two classes: a point that the convex hulls of both hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.data import DataError
from sightline.exact import Floats, null_vector
from sightline.solvers.hulls import Indices

LISTED = 4  # rows of a class that a message lists


@dataclass(frozen=True)
class Overlap:
    """A convex combination of rows of one class that equals one of rows of the other.

    positive, negative : numbers of the rows, from 0.  positive_shares, negative_shares : their shares, which add up to
        1 in each class.  Without an intercept (``through_origin``) the two sums are of any sizes s and 1 - s.
    verified : 'exact' (rational arithmetic), or 'rounding': no separating hyperplane was found, and the two points are
        equal to within rounding.
    """

    positive: tuple[int, ...]
    negative: tuple[int, ...]
    positive_shares: tuple[float, ...]
    negative_shares: tuple[float, ...]
    verified: str
    through_origin: bool = False

    def renumbered(self, numbers: Indices) -> Overlap:
        """The same with other numbers for the rows."""
        positive, negative = (tuple(numbers[list(rows)].tolist()) for rows in (self.positive, self.negative))
        return replace(self, positive=positive, negative=negative)

    def text(self, classes: tuple[Any, Any]) -> str:
        """In words, with the labels of the negative and the positive class."""
        sides = []
        pairs = ((classes[1], self.positive, self.positive_shares), (classes[0], self.negative, self.negative_shares))
        for label, rows, shares in pairs:
            if rows:
                sides.append(f"{_combined(rows, shares)} of class {label!r}")
        how = "Checked in exact arithmetic." if self.verified == "exact" else "Checked to within rounding."
        if self.through_origin:
            return (
                f"No hyperplane through the origin has the classes {classes[0]!r} and {classes[1]!r} on its two sides:"
                f" with signs, {' and '.join(sides)} add up to zero. {how}"
            )
        if len(self.positive) == len(self.negative) == 1:
            return (
                f"The classes {classes[0]!r} and {classes[1]!r} overlap: row {self.positive[0]} (class {classes[1]!r})"
                f" and row {self.negative[0]} (class {classes[0]!r}) are the same point. {how}"
            )
        return (
            f"The classes {classes[0]!r} and {classes[1]!r} overlap: {' and '.join(sides)} have a point in common."
            f" {how}"
        )


class OverlapError(DataError):
    """No hyperplane separates the classes; ``overlap`` is why."""

    def __init__(self, message: str, overlap: Overlap) -> None:
        super().__init__(message)
        self.overlap = overlap


def _combined(rows: tuple[int, ...], shares: tuple[float, ...]) -> str:
    if len(rows) == 1:
        return f"row {rows[0]}"
    order = np.argsort(-np.array(shares), kind="stable")
    parts = [f"{shares[i]:.3g}·row {rows[i]}" for i in order[:LISTED]]
    more = f" + {len(rows) - LISTED} more rows" if len(rows) > LISTED else ""
    return " + ".join(parts) + more


def exact_overlap(X: Floats, t: Floats, rows: Indices, shares: Floats, free: bool) -> Overlap | None:
    """The overlap near a combination of rows, proven in rational arithmetic; None where there is none near it.

    X : (n, p).  t : (n,) signs.  rows, shares : (k,) the combination.  free : with an intercept.
    """
    signed = X[rows] * t[rows, None]
    T = np.hstack([signed, t[rows, None]]).T if free else signed.T
    T = T[np.abs(T).max(axis=1) > 0]
    if not len(T):
        return overlap_of(t, rows, shares, free, "exact")
    v = null_vector(np.ascontiguousarray(T), shares)
    if v is None or not any(v):
        return None
    if any(f < 0 for f in v):
        if not all(f <= 0 for f in v):
            return None
        v = [-f for f in v]
    return overlap_of(t, rows, np.array([float(f / sum(v)) for f in v]), free, "exact")


def overlap_of(t: Floats, rows: Indices, shares: Floats, free: bool, verified: str) -> Overlap:
    """The overlap in the form in which it is told."""
    sides = []
    whole = float(shares.sum())
    for sign in (1, -1):
        mine = (t[rows] == sign) & (shares > 0)
        order = np.argsort(rows[mine], kind="stable")
        total = float(shares[mine].sum()) if free else whole
        sides.append((rows[mine][order].tolist(), (shares[mine][order] / (total or 1.0)).tolist()))
    (positive, up), (negative, down) = sides
    return Overlap(tuple(positive), tuple(negative), tuple(up), tuple(down), verified, not free)
