"""The rows that overlap: their likelihood's maximum, and the proof that none of them can fall.

A row i of the overlapping ones has margins m_ik = a_ik·u; in the limit its loss is log(1 + Σ_k exp(-m_ik)) over the
margins that do not fall.  No direction raises any of these margins without lowering another exactly when there are
λ > 0 with Σ λ_ik a_ik = 0 (Stiemke 1915).  The derivatives of the loss at its minimum are such λ, and near the minimum
they can be made so: with H = Σ λ_ik a_ik a_ik' and s = H⁻¹ Σ λ_ik a_ik, the numbers λ_ik (1 - a_ik·s) sum to zero, and
are positive as long as every |a_ik·s| < 1.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.cone import EPS, Cone, Mask
from sightline.exact import Floats
from sightline.separating.independent import LARGEST, leading, triangle

STEPS = 100
CONVERGED = 1e-24  # squared Newton decrement of the mean loss at which the fit ends
FLOOR = 1e-12  # of the largest multiplier: smaller ones are raised to it, as any positive numbers may serve
DEPENDENT = 1e-9  # share of a column that must be left for it to count as independent of others


@dataclass(frozen=True)
class Overlap:
    """What is known of the margins that do not fall.

    u : (q,) minimiser of their loss so far, in working units, flattened as in ``Cone.constraints``; zero in the
        columns that are combinations of others.
    columns : the columns of the flattened direction on which it was solved.
    radius : largest |a_ik·s|, rounding included: below 1 it proves that none of these margins can fall.
    loss : weighted sum of the losses at u.  decrement : squared Newton decrement of that sum.
    information : (r, r) Hessian of the sum over ``columns``.
    """

    u: Floats
    columns: NDArray[np.int64]
    radius: float
    loss: float
    decrement: float
    information: Floats


class Problem:
    """Minimise Σ_i w_i log(1 + Σ_k exp(-(a_ik·u + o_i))) over the margins in ``tight`` (n, K')."""

    def __init__(self, cone: Cone, tight: Mask, weight: Floats | None = None, offset: Floats | None = None) -> None:
        i, k = np.nonzero(tight)
        self.feasible = _filled(cone) * float(len(i)) * max(cone.classes - 1, 1) <= LARGEST
        if not self.feasible:
            return
        A = cone.constraints(i, k)
        self.width = A.shape[1]
        self.triangle = triangle(A)
        self.columns = leading(self.triangle, DEPENDENT)
        self.A: Any = A[:, self.columns] if isinstance(A, np.ndarray) else A.tocsc()[:, self.columns].tocsr()
        self.sparse = not isinstance(self.A, np.ndarray)
        self.fresh = np.flatnonzero(np.append(True, i[1:] != i[:-1])) if len(i) else np.zeros(0, dtype=np.int64)
        self.group = np.cumsum(np.append(0, i[1:] != i[:-1])) if len(i) else np.zeros(0, dtype=np.int64)
        rows = i[self.fresh]
        self.weight: Floats = np.ones(len(rows)) if weight is None else weight[rows]
        self.offset: Floats = np.zeros(len(i)) if offset is None else (offset * cone.sign)[i]

    def solve(self, deadline: float, start: Floats | None = None, proof_only: bool = True) -> Overlap | None:
        """Newton's method until the proof is there, or with ``proof_only=False`` to the last digit; None where the
        time or the numbers end before anything is known."""
        if not self.feasible or len(self.columns) == 0:
            return None
        u = np.zeros(len(self.columns)) if start is None else start[self.columns]
        found: Overlap | None = None
        value, p = self._value(u)
        last = np.inf
        for _ in range(STEPS):
            if time.perf_counter() > deadline:
                break
            lam = self.weight[self.group] * p
            H = self._hessian(p, lam)
            gradient = -np.asarray(self.A.T @ lam)
            step = _solved(H, -gradient)
            if step is None:
                break
            decrement = float(-gradient @ step)
            found = self._told(u, value, decrement, lam, H)
            if (proof_only and found.radius < 1) or decrement <= CONVERGED * float(self.weight.sum()):
                return found
            near = decrement < 1e-8  # where Newton's step is right and the value too rounded to say so
            if near and decrement > 0.25 * last:
                return found
            last = decrement if near else np.inf
            length = 1.0
            while length > 1e-10:
                trial, q = self._value(u + length * step)
                if near or trial <= value - 0.25 * length * decrement + 4 * EPS * abs(value):
                    break
                length /= 2
            else:
                return found
            u, value, p = u + length * step, trial, q
        return found

    def at_zero(self) -> float:
        """The loss where no weight matters: all margins are offsets."""
        return self._value(np.zeros(len(self.columns)))[0]

    def reach(self, H: Floats) -> float:
        """max |H^-1/2 (a_ik - a_il)| over the margins of a row, a bound: how far a unit Newton step moves a score."""
        d = np.sqrt(H.diagonal())
        values, vectors = np.linalg.eigh(H / d[:, None] / d)
        if not values[0] > 0:
            return np.inf
        half = self.A @ (vectors / d[:, None] / np.sqrt(values))
        longest = float(np.sqrt(np.square(half).sum(1).max()))
        return longest if len(self.fresh) == len(self.group) else 2 * longest

    def _value(self, u: Floats) -> tuple[float, Floats]:
        """Loss at u and the probabilities p_ik of the margins' classes."""
        m = -(np.asarray(self.A @ u) + self.offset)
        top = np.maximum(np.maximum.reduceat(m, self.fresh), 0.0)
        e = np.exp(m - top[self.group])
        total = np.exp(-top) + np.add.reduceat(e, self.fresh)
        # Where one margin is all there is, log1p keeps the small losses.
        loss = np.where(top > 0, top + np.log(total), np.log1p(total - 1.0))
        return float(self.weight @ loss), e / total[self.group]

    def _hessian(self, p: Floats, lam: Floats) -> Floats:
        if len(self.fresh) == len(self.group):
            return self._gram(lam * (1 - p))
        scaled = self.A.multiply(p[:, None]).tocsr() if self.sparse else self.A * p[:, None]
        import scipy.sparse as sp

        own = sp.csr_array((np.ones(len(self.group)), (self.group, np.arange(len(self.group)))))
        V = own @ scaled
        V = V.toarray() if self.sparse else np.asarray(V)
        return self._gram(lam) - V.T @ (V * self.weight[:, None])

    def _gram(self, d: Floats) -> Floats:
        if self.sparse:
            return np.asarray((self.A.T @ self.A.multiply(d[:, None]).tocsr()).toarray())
        return np.asarray(self.A.T @ (self.A * d[:, None]))

    def _told(self, u: Floats, value: float, decrement: float, lam: Floats, H: Floats) -> Overlap:
        whole = np.zeros(self.width)
        whole[self.columns] = u
        return Overlap(whole, self.columns, self._radius(lam), value, decrement, H)

    def _radius(self, lam: Floats) -> float:
        """A bound on max |a_ik·s| that holds in real arithmetic; inf where rounding leaves none."""
        lam = np.maximum(lam, FLOOR * float(lam.max()))
        G = self._gram(lam)
        d = np.sqrt(G.diagonal())
        if not (d > 0).all():
            return np.inf
        r = len(d)
        values, vectors = np.linalg.eigh(G / d[:, None] / d)
        rounding = 4 * (len(lam) + r + 16) * r * EPS
        lowest = float(values[0]) - rounding
        if lowest <= 16 * rounding:
            return np.inf

        s = (vectors @ ((vectors.T @ (np.asarray(self.A.T @ lam) / d)) / values)) / d
        change = np.asarray(self.A @ s)
        moved = lam * (1 - change)
        left = np.abs(np.asarray(self.A.T @ moved))
        left += 4 * (len(lam) + r + 16) * EPS * np.asarray(abs(self.A).T @ (lam * (1 + np.abs(change))))
        squares = self.A.multiply(self.A) if self.sparse else np.square(self.A)
        norms = np.sqrt(np.asarray(squares @ (1 / d**2)) / lowest)
        reach = float(np.minimum(norms, 1.01 / np.sqrt(lam)).max())
        # The remainder's own correction: every entry of it may have either sign.
        rest = 1.1 * float(np.sqrt(np.square(left / d).sum() / lowest))
        return float(np.abs(change).max()) * (1 + 1e-9) + reach * rest


def _filled(cone: Cone) -> float:
    return cone.X.nnz / cone.n + 1 if cone.sparse else float(cone.size)


def _solved(H: Floats, g: Floats) -> Floats | None:
    """H⁻¹ g for a positive definite H, scaled to unit diagonal; None where it is not."""
    from scipy.linalg import cho_factor, cho_solve

    d = np.sqrt(np.maximum(H.diagonal(), 1e-300))
    try:
        factor = cho_factor(H / d[:, None] / d, check_finite=True)
    except (np.linalg.LinAlgError, ValueError):
        return None
    return np.asarray(cho_solve(factor, g / d) / d)
