"""Primal-dual interior-point method for ``Program``.

Mehrotra's predictor and corrector (Mehrotra 1992), the hinges' slacks and multipliers eliminated row by row as in
Ferris & Munson (2002, eq. 9-12), the budgets' by a Schur complement, so that a step costs one Gram matrix of p + 1
columns.  The logistic part is taken with its second derivative at each point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sightline.constraints.program import Array, Program

MOST_STEPS = 80
TINY = 1e-250
FAR = 4.0  # most that a step may change a score of a logistic loss, or half of the largest score


@dataclass
class Point:
    """Where the method is.

    w : (p + 1,).  u, slack, alpha, beta : (m,) hinge variables, slacks of u >= kink - side z, and the multipliers of
    those and of u >= 0.  lam, spare, over : (K,) multipliers, slacks of the budgets, and τ.  weight : (m,) of each
    piece's products on the central path, adding up to one; a budget's are one.
    """

    w: Array
    u: Array
    slack: Array
    alpha: Array
    beta: Array
    lam: Array
    spare: Array
    over: Array
    weight: Array


@dataclass(frozen=True)
class Solved:
    """An optimum within its gap.

    w : (p + 1,).  alpha, lam : multipliers of the pieces and the budgets.  value : of the program at w, its price for
    what is beyond the budgets included.  bound : no weights go below.  steps : taken.  stopped : by the callback.
    """

    w: Array
    alpha: Array
    lam: Array
    value: float
    bound: float
    steps: int
    stopped: bool = False

    @property
    def gap(self) -> float:
        """value - bound."""
        return self.value - self.bound


Watch = Callable[[int, Array, float, float], bool]


def solve(
    program: Program, *, tol: float = 1e-10, above: float = math.inf, rough: float = 0.0, most: int = MOST_STEPS,
    watch: Watch | None = None, start: Array | None = None,
) -> Solved:
    """Solve to a relative gap of ``tol``, or as near as rounding allows.

    above : stop as soon as the bound exceeds this.  rough : or as soon as the value is below it and the gap is this
    share of what lies between; 0 for never.  watch : called with (step, w, value, bound); True stops.
    start : (p + 1,) weights to begin from.

    Returns the point of the smallest value met and the largest bound.
    """
    at = _begin(program, start)
    best: Solved | None = None
    value, bound = math.inf, -math.inf
    keep = at.w
    idle = 0
    for step in range(most + 1):
        state = _State(program, at)
        near = state.mu * state.count <= 1e-2 * max(1e-30, abs(value)) or step % 4 == 3
        previous = value - bound
        now = program.value(at.w)
        if now < value:
            value, keep = now, at.w
        if near or step == most:
            lower = program.lower_bound(at.w, at.alpha, at.lam)
            if lower > bound or best is None:
                bound = max(bound, lower)
                best = Solved(keep, at.alpha.copy(), at.lam.copy(), value, bound, step)
        scale = max(abs(value), 1e-12)
        done = value - bound <= tol * scale or bound > above or value - bound <= rough * (above - value)
        idle = idle + 1 if near and not value - bound < 0.9 * previous else 0
        stopped = watch is not None and watch(step, keep, value, bound)
        if done or stopped or idle > 6 or step == most:
            break
        if not state.advance():
            break
    if best is None:
        best = Solved(keep, at.alpha, at.lam, value, program.lower_bound(at.w, at.alpha, at.lam), step)
        bound = max(bound, best.bound)
    return Solved(keep, best.alpha, best.lam, value, bound, step, stopped)


def _begin(program: Program, start: Array | None) -> Point:
    """A point on the central path but for the budgets and the equations of w, which may be off there."""
    w = np.zeros(program.matrix.width) if start is None else start.astype(np.float64)
    short = program.shortfall(program.scores(w))
    # Not below the size of usual scores: at w = 0 every half-space's shortfall is zero.
    size = max(float(np.abs(short).mean()) if len(short) else 1.0, 1.0)
    lam = np.full(len(program.budget), min(0.5 * program.price, 1.0))
    cap = program.cost + lam @ program.uses + 2 * program.bend * size
    cap = np.maximum(cap, 1e-3 * max(float(cap.mean()) if len(cap) else 1.0, 1e-12))
    # A piece that must all but vanish has a cost far above the rest; its multiplier is of their size all the same.
    usual = np.minimum(cap, 10 * float(np.median(cap))) if len(cap) else cap
    mu = 0.25 * size
    tilt = 0.25 * short / (mu + np.sqrt(mu**2 + 0.25 * short**2))
    alpha = usual * (0.5 + tilt)
    beta = cap - alpha
    u, slack = mu * usual / beta, mu / (0.5 + tilt)
    weight = usual / usual.sum() if len(cap) else cap
    each = mu * float(usual.sum()) if len(cap) else mu
    return Point(w, u, slack, alpha, beta, lam, each / lam, each / (program.price - lam), weight)


class _State:
    """Residuals and factor at one point, and the step from there."""

    def __init__(self, program: Program, at: Point) -> None:
        self.program, self.at = program, at
        nu = program.price - at.lam
        self.nu = nu
        self.total = float(
            at.alpha @ at.slack + at.beta @ at.u + at.lam @ at.spare + nu @ at.over
        )
        self.count = 2 * (len(at.u) > 0) + 2 * len(at.lam)
        self.mu = self.total / max(self.count, 1)

    def advance(self) -> bool:
        """Take one step; False where rounding leaves none."""
        with np.errstate(all="ignore"):  # what overflows ends the method below
            return self._advance()

    def _advance(self) -> bool:
        q, at = self.program, self.at
        z = q.scores(at.w)
        short = q.shortfall(z)
        r_slack = at.u - short - at.slack
        r_u = q.cost + 2 * q.bend * at.u + at.lam @ q.uses - at.alpha - at.beta
        r_budget = q.uses @ at.u + at.spare - at.over - q.budget
        a, b = at.alpha / at.slack, at.beta / at.u
        E = 2 * q.bend + a + b
        ratio = a / E
        curve = q.to_rows(a * (2 * q.bend + b) / E)
        pull = -q.to_rows(q.side * at.alpha)
        if q.share is not None:
            assert q.label is not None
            wrong = np.exp(-np.logaddexp(0.0, q.label * z))
            pull = pull - q.share * q.label * wrong
            curve = curve + q.share * wrong * (1 - wrong)
        gradient = q.matrix.adjoint(pull) + q.ridge * at.w
        C = None
        if len(q.budget):
            C = q.matrix.adjoint(np.stack([q.to_rows(q.side * ratio * row) for row in q.uses], 1))
        gamma = (q.uses / E) @ q.uses.T
        gamma.flat[:: len(gamma) + 1] += at.spare / at.lam + at.over / self.nu
        normal = q.matrix.gram(curve)
        normal.flat[:: len(normal) + 1] += q.ridge
        try:
            outer = None if C is None else np.linalg.solve(gamma, C.T)
            if outer is not None:
                normal = normal + C @ outer
            scale = np.sqrt(np.maximum(np.diag(normal), TINY))
            normal = normal / scale / scale[:, None]
            normal.flat[:: len(normal) + 1] += 1e-14
            factor = scipy.linalg.cho_factor(normal, check_finite=False)
        except (np.linalg.LinAlgError, ValueError):
            return False

        def direction(t_a: Array, t_b: Array, t_l: Array, t_n: Array) -> tuple[Array, ...]:
            """Newton direction to alpha·slack = t_a, beta·u = t_b, lam·spare = t_l, nu·over = t_n."""
            to_a, to_b = t_a / at.slack - at.alpha, t_b / at.u - at.beta
            h = -r_u + to_a + to_b - a * r_slack
            right = -gradient + q.matrix.adjoint(q.to_rows(q.side * (to_a - a * r_slack - ratio * h)))
            low = -r_budget - q.uses @ (h / E) - (t_l / at.lam - at.spare) + (t_n / self.nu - at.over)
            if outer is not None:
                right = right - outer.T @ low
            dw = scipy.linalg.cho_solve(factor, right / scale, check_finite=False) / scale
            dlam = np.linalg.solve(gamma, -low - C.T @ dw) if C is not None else np.zeros(0)
            move = q.side * q.matrix.apply(dw)[q.row]
            du = (h - a * move - dlam @ q.uses) / E
            dslack = du + move + r_slack
            dalpha = to_a - a * dslack
            dbeta = to_b - b * du
            dspare = t_l / at.lam - at.spare - at.spare / at.lam * dlam
            dover = t_n / self.nu - at.over + at.over / self.nu * dlam
            return dw, du, dslack, dalpha, dbeta, dlam, dspare, dover

        zero = np.zeros(1)
        ahead = direction(zero, zero, zero, zero)
        primal, dual = self._lengths(ahead)
        left = self._after(ahead, primal, dual)
        sigma = min(1.0, max(left / max(self.total, TINY), 0.0)) ** 3
        target = max(sigma, 1e-9) * self.mu
        _, du, dslack, dalpha, dbeta, dlam, dspare, dover = ahead
        move = direction(
            target * at.weight - dalpha * dslack, target * at.weight - dbeta * du, target - dlam * dspare,
            target + dlam * dover,
        )  # fmt: skip
        primal, dual = self._lengths(move)
        if not np.isfinite(move[0]).all():
            return False
        if q.share is not None or not q.straight or q.ridge.any():
            primal = dual = min(primal, dual)
        shrink = max(0.99, 1 - 10 * self.mu)
        primal, dual = min(1.0, shrink * primal), min(1.0, shrink * dual)
        if max(primal, dual) < 1e-9:
            return False
        dw, du, dslack, dalpha, dbeta, dlam, dspare, dover = move
        if q.share is not None:
            # The logistic loss's curvature holds over a few units of the score, no further.
            furthest = float(np.abs(q.matrix.apply(dw)).max())
            most = max(FAR, 0.5 * float(np.abs(z).max()))
            primal = dual = min(primal, most / max(furthest, most))
        at.w = at.w + primal * dw
        at.u, at.slack = at.u + primal * du, at.slack + primal * dslack
        at.spare, at.over = at.spare + primal * dspare, at.over + primal * dover
        at.alpha, at.beta = at.alpha + dual * dalpha, at.beta + dual * dbeta
        at.lam = at.lam + dual * dlam
        return True

    def _lengths(self, d: tuple[Array, ...]) -> tuple[float, float]:
        """Largest steps that keep everything positive, (primal, dual)."""
        at = self.at
        _, du, dslack, dalpha, dbeta, dlam, dspare, dover = d
        primal = [(du, at.u), (dslack, at.slack), (dspare, at.spare), (dover, at.over)]
        dual = [(dalpha, at.alpha), (dbeta, at.beta), (dlam, at.lam), (-dlam, self.nu)]
        worst = [max((float((-v / x).max()) for v, x in side if len(x)), default=0.0) for side in (primal, dual)]
        return 1 / max(worst[0], 1.0), 1 / max(worst[1], 1.0)

    def _after(self, d: tuple[Array, ...], primal: float, dual: float) -> float:
        at = self.at
        _, du, dslack, dalpha, dbeta, dlam, dspare, dover = d
        return float(
            (at.alpha + dual * dalpha) @ (at.slack + primal * dslack)
            + (at.beta + dual * dbeta) @ (at.u + primal * du)
            + (at.lam + dual * dlam) @ (at.spare + primal * dspare)
            + (self.nu - dual * dlam) @ (at.over + primal * dover)
        )
