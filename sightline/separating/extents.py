"""Where each coefficient can go: its least and greatest value over the directions that never raise the loss.

These directions are a cone in the null space of the margins that cannot fall, spanned by Z: {Z z : M z >= 0}, M the
margins that can fall.  With c = Z'e for a coefficient (or a contrast of two classes), the coefficient

stays finite            where c = 0,
tends to +Inf           where c·z >= 0 on the whole cone and > 0 somewhere: it is then, by Farkas' lemma, a sum with
                        positive factors of margins of which some tend to infinity and the others stay bounded, so it
                        does so along every sequence of weights whose loss tends to the infimum,
depends on direction    where c·z takes both signs.

Directions inside the cone settle most coefficients; a linear program each settles the rest, on the rows that matter.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sightline.cone import Cone, Mask
from sightline.exact import Floats
from sightline.separating.independent import LARGEST

NULL = 1e-9  # singular values below this share of the largest are zero
ZERO = 1e-7  # of a unit functional over a box: below it counts as zero
FIRST = 3  # margins taken into a program at first, for each dimension
FRESH = 200  # violated margins added at a time
FINITE, UP, DOWN, BOTH, UNKNOWN = "finite", "+Inf", "-Inf", "direction-dependent", "undetermined"


def null_space(R: Floats) -> Floats:
    """Orthonormal basis (q, r) of the null space of R (m, q)."""
    q = R.shape[1]
    if R.shape[0] == 0:
        return np.eye(q)
    _, sizes, vt = np.linalg.svd(R, full_matrices=True)
    rank = int((sizes > NULL * max(float(sizes[0]), 1e-300)).sum())
    return np.asarray(vt[rank:].T)


def fates(cone: Cone, falling: Mask, tight: Floats, functionals: Floats, inside: Floats, deadline: float) -> list[str]:
    """The fate of each functional.

    falling : (n, K') mask of the margins that fall.  tight : (m, q) a matrix with the row space of the others.
    functionals : (f, q) over the flattened direction.  inside : (q,) a direction under which all of ``falling`` rise.
    """
    Z = null_space(tight)
    C = functionals @ Z
    sizes = np.sqrt(np.square(C).sum(1))
    whole = np.sqrt(np.square(functionals).sum(1))
    moves = sizes > 1e-7 * np.maximum(whole, 1e-300)
    told = [UNKNOWN if m else FINITE for m in moves]
    index = np.flatnonzero(moves)
    if not len(index):
        return told
    i, k = np.nonzero(falling)
    if len(i) * float(Z.shape[0]) > LARGEST:
        return told
    search = _Section(_margins(cone, i, k, Z), C[index] / sizes[index, None], Z.T @ inside, deadline)
    for place, fate in zip(index, search.run()):
        told[int(place)] = fate
    return told


def _margins(cone: Cone, i: NDArray[np.int64], k: NDArray[np.int64], Z: Floats) -> Floats:
    """The margins over z, each of unit length, without repetitions."""
    M = np.asarray(cone.constraints(i, k) @ Z)
    sizes = np.sqrt(np.square(M).sum(1))
    M = M[sizes > 0] / sizes[sizes > 0, None]
    _, first = np.unique(np.round(M, 9), axis=0, return_index=True)
    return np.asarray(M[np.sort(first)])


class _Section:
    """The search for both signs of each functional C (f, r) over {z : M z >= 0, |z| <= 1}."""

    def __init__(self, M: Floats, C: Floats, z: Floats, deadline: float) -> None:
        self.M, self.C, self.deadline = M, C, deadline
        self.positive, self.negative = np.zeros(len(C), dtype=bool), np.zeros(len(C), dtype=bool)
        z = z / max(np.abs(z).max(), 1e-300)
        order = np.argsort(M @ z, kind="stable")
        self.chosen = order[: FIRST * M.shape[1] + 50]
        self.inside = self._central(z)

    def run(self) -> list[str]:
        """The fate of each functional."""
        self._see(self.inside)
        self._along()
        return [self._fate(j) for j in range(len(self.C))]

    def _fate(self, j: int) -> str:
        for seen, side in ((self.negative, 1.0), (self.positive, -1.0)):
            if not seen[j] and self._least(side * self.C[j]) is None:
                return UNKNOWN
        if self.positive[j] and self.negative[j]:
            return BOTH
        return UP if self.positive[j] else DOWN if self.negative[j] else UNKNOWN

    def _see(self, z: Floats) -> None:
        """Note the signs that functionals take at z, or at several (r, m)."""
        z = z.reshape(len(self.inside), -1)
        values = self.C @ (z / np.maximum(np.abs(z).max(0), 1e-300))
        self.positive |= (values > 0.5 * ZERO).any(1)
        self.negative |= (values < -0.5 * ZERO).any(1)

    def _along(self) -> None:
        """From the inner point along each functional, to either side, as far as the cone reaches."""
        rise, fall = self.M @ self.C.T, self.M @ self.inside
        for side in (1.0, -1.0):
            with np.errstate(all="ignore"):
                reach = np.where(side * rise < 0, -fall[:, None] / (side * rise), np.inf).min(0)
            reach = np.minimum(0.999 * reach, 1e3)
            self._see(self.inside[:, None] + side * reach * self.C.T)

    def _central(self, z: Floats) -> Floats:
        """A point well inside the cone: greatest least margin in the box, or the given point where that fails."""
        r = self.M.shape[1]
        found = self._program(np.append(np.zeros(r), -1.0), strict=True)
        if found is not None and (self.M @ found[:r]).min() > 0:
            return np.asarray(found[:r])
        return z

    def _least(self, c: Floats) -> float | None:
        """min c·z over the cone's section; None where the time ends.  What it finds counts for all functionals."""
        z = self._program(c, strict=False)
        if z is None:
            return None
        value = float(c @ z)
        if value < -ZERO:
            # As much of the middle as makes up for the program's tolerance.
            m, middle = self.M @ z, self.M @ self.inside
            low = m < 0
            share = float((-m[low] / (middle[low] - m[low])).max()) if low.any() else 0.0
            z = (1 - share) * z + share * self.inside
            if not float(c @ z) < -0.5 * ZERO:
                return None
            self._see(z)
        return value

    def _program(self, cost: Floats, strict: bool) -> Floats | None:
        """Solve on the chosen margins, adding those that it violates."""
        from scipy.optimize import linprog

        bounds = [(-1.0, 1.0)] * self.M.shape[1] + ([(0.0, 1.0)] if strict else [])
        while time.perf_counter() < self.deadline:
            A = -self.M[self.chosen]
            if strict:
                A = np.column_stack([A, np.ones(len(A))])
            done = linprog(
                cost, A_ub=A, b_ub=np.zeros(len(A)), bounds=bounds, method="highs",
                options={
                    "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10,
                    "time_limit": max(0.1, self.deadline - time.perf_counter()),
                },
            )  # fmt: skip
            if done.x is None or done.status != 0:
                return None
            if not strict and done.fun > -ZERO:
                return np.asarray(done.x)  # fewer margins allow more: with all of them it is no less
            m = self.M @ done.x[: self.M.shape[1]] - (done.x[-1] if strict else 0.0)
            bad = np.flatnonzero(m < -1e-9)
            if not len(bad):
                return np.asarray(done.x)
            fresh = np.setdiff1d(bad[np.argsort(m[bad])[:FRESH]], self.chosen)
            if not len(fresh):
                return np.asarray(done.x)
            self.chosen = np.append(self.chosen, fresh)
        return None
