"""The support set of the nearest points of two hulls, exactly: an active-set method.

Rows enter one at a time, the one that lies furthest on the wrong side; rows leave when their share would become
negative (Wolfe 1976, "Finding the nearest point in a polytope", with a group of rows for each class).  In each step the
combination of least norm in the affine hull of the rows in the set, the *corral*, comes from a QR factorisation.  Each
step shortens w, so no corral comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sightline.exact import Floats
from sightline.solvers.hulls import Hulls, Indices

INDEPENDENT = 1e-9  # a row nearer than this to the span of the others, in rows of unit length, depends on them
CANDIDATES = 1e-9  # shares below this, relative to the largest, do not start a corral
SLACK = 64 * 2.0**-52
STEPS = 20_000


@dataclass(frozen=True)
class Corral:
    """Where the method ended.

    rows : (k,) the support set.  a : (k,) shares > 0, each group's adding up to 1.
    lam : (groups,) least z·w of each group.  w : (q,) = Σ a z.
    settled : no row is on the wrong side, to rounding.
    """

    rows: Indices
    a: Floats
    lam: Floats
    w: Floats
    settled: bool


class Factor:
    """R with R'R = Z Z' + E'E of the rows of a corral, for systems of its optimality conditions."""

    def __init__(self, Z: Floats, E: Floats) -> None:
        """Z : (k, q) rows.  E : (groups, k) membership."""
        self.E = E
        self.R = scipy.linalg.qr(np.hstack([Z, E.T]).T, mode="r", check_finite=False)[0][: len(Z)]
        self.sound = self.R.shape[0] == len(Z) and bool(np.abs(np.diagonal(self.R)).min() > 1e-14)

    def inverse(self, right: Floats) -> Floats:
        """(R'R)^-1 right."""
        half = scipy.linalg.solve_triangular(self.R, right, trans="T", check_finite=False)
        return np.asarray(scipy.linalg.solve_triangular(self.R, half, check_finite=False))

    def solve(self, slack: Floats, sums: Floats) -> tuple[Floats, Floats]:
        """(a, λ) with Z Z'a - E'λ = slack and E a = sums."""
        HE, Hs = self.inverse(self.E.T), self.inverse(slack)
        nu = np.linalg.solve(self.E @ HE, sums - self.E @ Hs)
        return Hs + HE @ nu, nu - sums


def nearest(hulls: Hulls, guess: Floats, slack: Floats) -> Corral:
    """The corral of the nearest points, begun from shares ``guess`` and slacks (n,) that are nearly right."""
    Z, group = hulls.Z, hulls.group
    rows, a = _start(hulls, guess, slack)
    w = a @ Z[rows]
    settled, norm = False, np.inf
    for _ in range(STEPS):
        rows, a, sound = _least(hulls, rows, a)
        w = a @ Z[rows]
        m = Z @ w
        lam = np.array([a[group[rows] == g] @ m[rows[group[rows] == g]] for g in range(hulls.groups)])
        below = m - lam[group]
        below[rows] = 0.0
        worst = int(below.argmin())
        length, now = float(np.sqrt(w @ w)), float(w @ w)
        if below[worst] >= -SLACK * max(length, 1e-16):
            settled = True
            break
        if not sound or now >= norm:
            break  # rounding allows no more
        norm = now
        rows, a = np.append(rows, worst), np.append(a, 0.0)
    return Corral(rows, a, lam, w, settled)


def _start(hulls: Hulls, guess: Floats, slack: Floats) -> tuple[Indices, Floats]:
    """Independent rows with large shares, and feasible shares of them."""
    Z, group = hulls.Z, hulls.group
    firsts = [int(np.where(group == g, guess, -1.0).argmax()) for g in range(hulls.groups)]
    # Of share and slack one is zero in the end: the larger, each beside its own largest, is the one that is not.
    held = guess * np.median(slack) > 1e-2 * slack * guess.max()
    likely = np.flatnonzero(held & (guess > CANDIDATES * guess.max()))
    most = 4 * (Z.shape[1] + hulls.groups)
    likely = likely[np.argsort(-guess[likely], kind="stable")[:most]]
    likely = np.concatenate([firsts, np.setdiff1d(likely, firsts)]).astype(np.int64)
    block = np.hstack([Z[likely], hulls.members[:, likely].T])
    weighted = block * np.sqrt(guess[likely])[:, None]
    _, R, order = scipy.linalg.qr(weighted.T, mode="economic", pivoting=True, check_finite=False)
    size = np.abs(np.diagonal(R)) / np.sqrt(guess[likely][order[: len(R)]]).clip(min=1e-300)
    kept = np.sort(likely[order[: len(R)][size > INDEPENDENT]])
    if any(not (group[kept] == g).any() for g in range(hulls.groups)):
        kept = np.array(sorted(firsts))
    a = guess[kept].clip(min=1e-300)
    for g in range(hulls.groups):
        a[group[kept] == g] /= a[group[kept] == g].sum()
    return kept, a


def _least(hulls: Hulls, rows: Indices, a: Floats) -> tuple[Indices, Floats, bool]:
    """The point of least norm in the hull of a part of these rows that holds the best of all of them."""
    one = np.ones(hulls.groups)
    while True:
        factor = Factor(hulls.Z[rows], hulls.members[:, rows])
        if not factor.sound:
            keep = a > 0
            return rows[keep], a[keep], False
        best, _ = factor.solve(np.zeros(len(rows)), one)
        # One step of refinement: the shares are those of the optimality conditions, not of their normal equations.
        miss = (best @ hulls.Z[rows]) @ hulls.Z[rows].T
        sums = factor.E @ best
        lam = (factor.E @ miss) / factor.E.sum(1)
        best = best + factor.solve(lam @ factor.E - miss, one - sums)[0]
        if (best > 0).all():
            return rows, best, True
        falling = best <= 0
        ratio = np.full(len(a), np.inf)
        ratio[falling] = a[falling] / np.maximum(a[falling] - best[falling], 1e-300)
        step = min(1.0, float(ratio.min()))
        a = a + step * (best - a)
        a[int(ratio.argmin())] = 0.0
        keep = a > 0
        if any(not keep[hulls.group[rows] == g].any() for g in range(hulls.groups)):
            return rows, np.maximum(a, 0.0), False
        rows, a = rows[keep], a[keep]
        for g in range(hulls.groups):
            a[hulls.group[rows] == g] /= a[hulls.group[rows] == g].sum()
