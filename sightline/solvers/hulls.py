"""Nearest points of the convex hulls of two classes: the dual of the maximum margin, by an interior-point method.

With z_i = t_i x_i and one group of rows for each class,

    minimise ½ ‖w‖², w = Σ a_i z_i,   a >= 0, the a of each group adding up to 1

(Bennett & Bredensteiner 2000, "Duality and geometry in SVM classifiers"); w joins the two nearest points.  Without an
intercept there is one group, and w is the point of least norm in the hull of the z_i.  The multipliers λ of the groups'
sums and the slacks s_i = z_i·w - λ_group(i) >= 0 make the duality gap a·s.

Feasible Mehrotra predictor-corrector steps (Mehrotra 1992); the linear systems are of the size of the columns, after
a rotation that leaves as many columns as rows where there are more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from sightline.exact import Floats

STEPS = 100
PATIENCE = 6  # steps without half the gap after which rounding is to blame
TARGET = 1e-13  # duality gap relative to ‖w‖², or to the rows' squared length where the hulls meet
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Hulls:
    """Rows to be combined.

    Z : (n, q) float64, t_i x_i, moved (free intercept), rotated, and scaled so that no row is longer than one.
    group : (n,) int64, the group of each row.  groups : 1 or 2.
    scale : power of two that the rows were divided by.
    """

    Z: Floats
    group: Indices
    groups: int
    scale: float

    @property
    def members(self) -> Floats:
        """(groups, n), 1 where a row is of a group."""
        return np.asarray(self.group[None, :] == np.arange(self.groups)[:, None], dtype=np.float64)


def make_hulls(X: Floats, t: Floats, free: bool) -> Hulls:
    """The hulls of rows X (n, p) with signs t (n,); ``free`` for an intercept, which makes two groups."""
    with np.errstate(over="ignore"):
        centre = (X[t > 0].mean(0) + X[t < 0].mean(0)) / 2 if free else np.zeros(X.shape[1])
    Z = (X - centre) * t[:, None]
    if Z.shape[1] > Z.shape[0]:
        Z = np.ascontiguousarray(scipy.linalg.qr(Z.T, mode="r", check_finite=False)[0][: len(Z)].T)
    longest = float(np.sqrt(np.einsum("ij,ij->i", Z, Z).max()))
    scale = float(np.ldexp(1.0, np.frexp(longest)[1])) if longest > 0 else 1.0
    group = (t < 0).astype(np.int64) if free else np.zeros(len(Z), dtype=np.int64)
    return Hulls(Z / scale, group, 2 if free else 1, scale)


def combination(hulls: Hulls) -> tuple[Floats, Floats]:
    """Nearly the best combination a (n,) and its slacks s (n,): feasible, with a duality gap near ``TARGET`` or as
    small as rounding lets it become."""
    Z, E, group = hulls.Z, hulls.members, hulls.group
    a = (1.0 / E.sum(1))[group]
    w = a @ Z
    m = Z @ w
    low = np.array([m[group == g].min() for g in range(hulls.groups)])
    spread = max(float((m - low[group]).mean()), 1e-2 * float(w @ w), 1e-8)
    lam = low - spread
    s = m - lam[group]
    best, best_gap, last_progress = (a, s), np.inf, 0
    for number in range(STEPS):
        gap = float(a @ s)
        if gap < 0.5 * best_gap:
            last_progress = number
        if gap < best_gap:
            best, best_gap = (a, s), gap
        if number - last_progress > PATIENCE:
            break
        if gap <= TARGET * float(w @ w) or gap < 1e-22:
            break
        system = _System(Z, E, a / s)
        if not system.sound:
            break
        da, ds, _, _ = system.solve(-a, s)
        step = min(_length(a, da), _length(s, ds))
        mu = gap / len(a)
        after = float((a + step * da) @ (s + step * ds)) / len(a)
        centring = (after / mu) ** 3
        da, ds, dw, dlam = system.solve((centring * mu - da * ds) / s - a, s)
        step = min(1.0, 0.995 * min(_length(a, da), _length(s, ds)))
        if step < 1e-10:
            break
        a = a + step * da
        a = a / (E @ a)[group]
        lam = lam + step * dlam
        w = a @ Z
        s = np.maximum(Z @ w - lam[group], 0.5 * (s + step * ds).clip(min=0))
        if not (np.isfinite(a).all() and (s > 0).all() and (a > 0).all()):
            break
    return best


class _System:
    """Newton's system at one iterate: K = I + Z'DZ and the groups' rows, D = a / s."""

    def __init__(self, Z: Floats, E: Floats, d: Floats) -> None:
        self.Z, self.E, self.d = Z, E, d
        K = Z.T @ (d[:, None] * Z)
        K[np.diag_indices_from(K)] += 1.0
        self.sound = bool(np.isfinite(K).all())
        if not self.sound:
            return
        try:
            self.factor = scipy.linalg.cho_factor(K, check_finite=False)
        except scipy.linalg.LinAlgError:
            self.sound = False
            return
        self.V = (Z.T * d) @ E.T
        self.KV = scipy.linalg.cho_solve(self.factor, self.V, check_finite=False)
        self.schur = (E * d) @ E.T - self.V.T @ self.KV

    def solve(self, target: Floats, s: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """(Δa, Δs, Δw, Δλ) with s Δa + a Δs = s · target and all else kept."""
        right = self.Z.T @ target
        x = scipy.linalg.cho_solve(self.factor, right, check_finite=False)
        lam = np.linalg.lstsq(self.schur, self.V.T @ x - self.E @ target, rcond=None)[0]
        w = x + self.KV @ lam
        ds = self.Z @ w - lam @ self.E
        return target - self.d * ds, ds, w, lam


def _length(v: Floats, dv: Floats) -> float:
    """Largest step up to 1 that keeps v + step · dv >= 0."""
    down = dv < 0
    return min(1.0, float((-v[down] / dv[down]).min())) if down.any() else 1.0
