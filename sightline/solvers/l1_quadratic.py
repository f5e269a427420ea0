"""A small quadratic with an L1 term and signs, minimised exactly with linear algebra.

    minimise over u   g·(u - w) + ½ (u - w)'H(u - w) + Σ λ_j |u_j|,   u_j >= 0 where asked

An active-set method (feature-sign search: Lee, Battle, Raina & Ng 2007, algorithm 1) that takes in many coordinates at
once: solve on the signed support, clip what changes sign (a projected step, backtracked: Bertsekas 1982), and where
that does not descend, drop coordinates that would leave zero the wrong way and search the segment exactly, which
always descends.  Coordinate descent needs the same arithmetic but one Python statement a coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

EPS = 2.0**-52
SHARES = (1.0, 0.3, 0.1, 0.03, 0.01)  # of a step, tried with clipping
PATIENCE = 4  # steps that give little before a model that need not be exact is left
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]


class Hessian(Protocol):
    """A symmetric positive semidefinite (m, m) matrix H, held or implied."""

    @property
    def diagonal(self) -> Array:
        """The diagonal, (m,)."""

    def product(self, x: Array) -> Array:
        """H x."""

    def solve(self, index: Index, right: Array) -> Array:
        """x with H[index, index] x = ``right``, or near enough that it descends."""


@dataclass(frozen=True)
class DenseHessian:
    """The matrix itself."""

    matrix: Array

    @property
    def diagonal(self) -> Array:
        """The diagonal, (m,)."""
        return self.matrix.diagonal()

    def product(self, x: Array) -> Array:
        """H x."""
        return np.asarray(self.matrix @ x)

    def solve(self, index: Index, right: Array) -> Array:
        """By Cholesky factor."""
        return solve_definite(self.matrix[np.ix_(index, index)], right)


@dataclass(frozen=True)
class Part:
    """A step (m,), H times it, and what it changes of the objective."""

    step: Array
    product: Array
    change: float


@dataclass(frozen=True)
class L1Quadratic:
    """The problem above in m coordinates.

    strengths : (m,) λ >= 0.  free : (m,) coordinates without a penalty and without a sign (the intercept).
    positive : the others are >= 0.
    """

    hessian: Hessian
    strengths: Array
    free: Mask
    positive: bool

    def minimise(self, w: Array, g: Array, enough: float = 0.0, rounds: int = 300) -> Array:
        """The minimiser, (m,), for the gradient ``g`` at ``w``.

        Ends earlier after ``rounds`` steps, or when ``PATIENCE`` steps in a row that were not whole gave less than
        ``enough`` of what all have given so far; what it returns is never worse than ``w``.
        """
        u, gradient, curved = w.copy(), g.copy(), self.hessian.product(w)
        diagonal = self.hessian.diagonal
        most, total, small = len(w), 0.0, 0
        for _ in range(rounds):
            size = np.sqrt(diagonal * max(float(u @ curved), 0.0))
            noise = 16 * EPS * (np.abs(gradient) + self.strengths + size)
            sign = np.sign(u)
            most = min(most, max(16, int(np.count_nonzero(u))))
            entering = self._entering(u, gradient, noise, most)
            sign[entering] = -np.sign(gradient[entering])
            slope = np.where(self.free, gradient, gradient + self.strengths * sign)
            held = self.free | (u != 0)
            if not len(entering) and bool((np.abs(slope[held]) <= noise[held]).all()):
                break
            held[entering] = True
            part, whole = self._step(u, gradient, sign, slope, np.flatnonzero(held))
            if not -np.inf < part.change < 0:
                break
            # Where a whole step does not descend, too many coordinates entered at once.
            most = 2 * most if whole else max(1, most // 4)
            u, gradient, curved = u + part.step, gradient + part.product, curved + part.product
            total += part.change
            small = small + 1 if part.change > enough * total and not whole else 0
            if small == PATIENCE:
                break
        return u

    def _entering(self, u: Array, gradient: Array, noise: Array, most: int) -> Index:
        """Zero coordinates that want to leave zero, the ``most`` eager ones if they are more."""
        excess = (-gradient if self.positive else np.abs(gradient)) - self.strengths
        wanted = np.flatnonzero((u == 0) & ~self.free & (excess > noise))
        if len(wanted) > most:
            eager = excess[wanted] / np.sqrt(self.hessian.diagonal[wanted])
            wanted = wanted[np.argpartition(-eager, most)[:most]]
        return wanted

    def _step(self, u: Array, gradient: Array, sign: Array, slope: Array, index: Index) -> tuple[Part, bool]:
        """A step (its change is < 0 unless rounding leaves no descent), and whether it is the whole one, clipped."""
        step = np.zeros_like(u)
        while True:
            direction = self.hessian.solve(index, -slope[index])
            promised = float(slope[index] @ direction)
            for share in SHARES:
                tried = share * direction
                wrong = ~self.free[index] & ((u[index] + tried) * sign[index] <= 0)
                step[index] = np.where(wrong, -u[index], tried)
                part = self._part(u, gradient, step)
                if part.change <= 0.1 * share * promised:
                    return part, share == 1
            astray = ~self.free[index] & (u[index] == 0) & (direction * sign[index] <= 0)
            if not astray.any():
                break
            step[index] = 0.0
            index = index[~astray]
        step[index] = direction
        share, stops = self._search(u, gradient, step, index)
        step *= share
        step[stops] = -u[stops]
        return self._part(u, gradient, step), False

    def _part(self, u: Array, gradient: Array, step: Array) -> Part:
        after = u + step
        # Where the sign stays the penalty changes by λ sign step, without the rounding of a difference of sizes.
        penalty = self.strengths * np.where(u * after > 0, np.sign(u) * step, np.abs(after) - np.abs(u))
        product = self.hessian.product(step)
        return Part(step, product, float((gradient * step + penalty).sum()) + 0.5 * float(step @ product))

    def _search(self, u: Array, gradient: Array, step: Array, index: Index) -> tuple[float, Index]:
        """Exact minimiser over t in [0, 1] of the objective at u + t step, and the coordinates that it puts at zero.

        The slope along the segment is piecewise linear and rises by 2 λ |step| where a coordinate crosses zero; a
        coordinate that must not cross ends the segment there.
        """
        start, move, strength = u[index], step[index], np.where(self.free[index], 0.0, self.strengths[index])
        crossing = ~self.free[index] & (start * move < 0) & (np.abs(move) >= np.abs(start))
        where = np.flatnonzero(crossing)
        times = -start[where] / move[where]
        last = 1.0
        if self.positive and len(times):
            last = float(times.min())
            where, times = where[times <= last], times[times <= last]
        side = np.where(start != 0, np.sign(start), np.sign(move))
        slope = float((gradient[index] + strength * side) @ move)
        bend = float(step @ self.hessian.product(step))
        order = np.argsort(times)
        where, times = where[order], times[order]
        jumps = 2 * strength[where] * np.abs(move[where])
        rises = np.concatenate([[0.0], np.cumsum(jumps)])
        before = slope + bend * times + rises[:-1]
        within = np.flatnonzero((before < 0) & (before + jumps >= 0))
        if len(within):
            t = float(times[within[0]])
            return t, index[where[times == t]]
        turned = np.flatnonzero(before >= 0)
        passed = turned[0] if len(turned) else len(times)
        t = min(last, -(slope + rises[passed]) / bend) if bend > 0 else last
        return t, index[where[times == t]]


def solve_definite(matrix: Array, right: Array) -> Array:
    """x with ``matrix`` x = ``right`` for a symmetric positive semidefinite matrix; where it is singular to rounding,
    with the least multiple of its diagonal added that makes it regular.

    Raises
    ------
    FloatingPointError : the matrix holds values that are not finite.
    """
    size = np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix / size[:, None] / size
    shift = 0.0
    while True:
        if shift:
            scaled[np.diag_indices_from(scaled)] = 1 + shift
        factor, info = lapack.dpotrf(scaled, lower=1, clean=0)
        if info == 0 and factor.diagonal().min() > 4 * EPS * len(size):
            solution, _ = lapack.dpotrs(factor, right / size, lower=1)
            return np.asarray(solution / size)
        shift = 16 * shift if shift else 64 * EPS * len(size)
        if not shift < 1e6:
            raise FloatingPointError("the Hessian holds values that are not finite")
