"""The certified optimum of every problem, found by methods of its own and bounded by a duality gap in plain NumPy.

Smooth losses: Newton's method, its systems solved by preconditioned conjugate gradients. L1: a working set, bounded
L-BFGS, then Newton on the support. Hinge: an interior-point method on the dual. Nothing here is shared with a solver
being timed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import minimize

from bench import duality
from bench.objective import LOSSES, Point, Softmax, scores, value
from bench.problems import CACHE, Instance, Problem, load

TARGET = 1e-10
"""Relative gap asked of a reference; `certified` refuses one above `ENOUGH`."""
ENOUGH = 1e-8


@dataclass(frozen=True)
class Reference:
    """The best point found, its objective, and a proven lower bound on the optimum."""

    point: Point
    value: float
    lower: float

    @property
    def relative_gap(self) -> float:
        """How far the reference itself can be from the optimum."""
        return (self.value - self.lower) / self.value

    def suboptimality(self, objective: float) -> float:
        """Relative distance of an objective value from the optimum's lower bound."""
        return (objective - self.lower) / self.lower


def certified(problem: Problem) -> Reference:
    """The reference of a problem, from the cache or computed now."""
    path = CACHE / "reference" / f"{problem.key}.npz"
    if path.exists():
        kept = np.load(path)
        return Reference(Point(kept["coef"], kept["intercept"]), float(kept["value"]), float(kept["lower"]))
    reference = solve(load(problem))
    if not reference.relative_gap <= ENOUGH:
        raise RuntimeError(f"reference of {problem.name}: gap {reference.relative_gap:.1e}, more than {ENOUGH:.0e}")
    path.parent.mkdir(parents=True, exist_ok=True)
    point = reference.point
    np.savez(path, coef=point.coef, intercept=point.intercept, value=reference.value, lower=reference.lower)
    return reference


def solve(instance: Instance) -> Reference:
    """Solve and certify one instance."""
    theta = None
    if instance.problem.loss == "hinge":
        point, theta = interior_point(instance)
    elif instance.l1:
        point = working_set(instance)
    elif instance.p > instance.n and not instance.sparse:
        Q, R = scipy.linalg.qr(instance.X.T, mode="economic")
        small = newton(replace(instance, X=np.ascontiguousarray(R.T)))
        point = Point(Q @ small.coef, small.intercept)
    else:
        point = newton(instance)
    return Reference(point, value(instance, point), duality.lower_bound(instance, point, theta))


def newton(instance: Instance, steps: int = 60) -> Point:
    """Newton's method with conjugate gradients for smooth losses with L2 or no penalty."""
    K, p, X, y, n = instance.classes, instance.p, instance.X, instance.y, instance.n
    softmax = isinstance(loss := LOSSES[instance.problem.loss], Softmax)
    free = float(instance.problem.intercept)
    W, b = np.zeros((p, K)), np.zeros(K)

    def at(W: np.ndarray, b: np.ndarray) -> Point:
        return Point(W, b) if softmax else Point(W[:, 0], b[0])

    best = value(instance, at(W, b))
    for _ in range(steps):
        z = scores(instance, at(W, b))
        g = loss.gradient(z, y).reshape(n, K) / n
        q = loss.probabilities(z) if softmax else loss.curvature(z, y).reshape(n, 1)
        gW, gb = X.T @ g + instance.l2 * W, free * g.sum(axis=0)

        def product(D: np.ndarray, db: np.ndarray, q: np.ndarray = q) -> tuple[np.ndarray, np.ndarray]:
            s = X @ D + db
            h = q * (s - (q * s).sum(axis=1, keepdims=True)) if softmax else q * s
            return X.T @ h / n + instance.l2 * D, free * h.sum(axis=0) / n

        precondition = _preconditioner(instance, (q * (1 - q)) if softmax else q)
        accuracy = min(0.1, float(np.sqrt(np.linalg.norm(gW) / max(best, 1e-300))))
        D, db = _conjugate_gradients(product, precondition, -gW, -gb, accuracy)
        slope, t = float((D * gW).sum() + (db * gb).sum()), 1.0
        if not slope < 0:
            break
        while t > 1e-10:
            trial = value(instance, at(W + t * D, b + t * db))
            if trial <= best + 1e-4 * t * slope + 1e-15 * abs(best):
                break
            t /= 2
        if trial > best:
            break
        W, b, best, before = W + t * D, b + t * db, trial, best
        if before - best <= 1e-6 * best and best - duality.lower_bound(instance, at(W, b)) <= TARGET * best:
            break
    return at(W, b)


def _preconditioner(instance: Instance, h: np.ndarray):  # type: ignore[no-untyped-def]
    """Solves with the Hessian (one class), with a Gram matrix for each class's mean curvature, or with the diagonal."""
    X, n, l2 = instance.X, instance.n, instance.l2
    tiny = 1e-15
    if sp.issparse(X) or X.shape[1] > 2000:
        squares = X.multiply(X) if sp.issparse(X) else X * X
        diagonal = np.asarray(squares.T @ h) / n + l2 + tiny
        return lambda R: R / diagonal
    if h.shape[1] == 1:
        grams = [X.T @ (X * h) / n]
    else:
        shared = X.T @ X / n
        grams = [shared * float(c) for c in h.mean(axis=0)]
    factors = []
    for G in grams:
        G[np.diag_indices_from(G)] += l2
        scale = 1.0 / np.sqrt(np.diag(G) + tiny)
        G *= np.outer(scale, scale)
        G[np.diag_indices_from(G)] += 1e-14
        factors.append((scipy.linalg.cho_factor(G, lower=True), scale))

    def apply(R: np.ndarray) -> np.ndarray:
        columns = [s * scipy.linalg.cho_solve(f, s * R[:, k]) for k, (f, s) in enumerate(factors)]
        return np.stack(columns, axis=1)

    return apply


def _conjugate_gradients(product, precondition, R, r, accuracy, steps=2000):  # type: ignore[no-untyped-def]
    """Solve H (D, d) = (R, r); the intercepts' part is preconditioned by its own diagonal."""
    D, d = np.zeros_like(R), np.zeros_like(r)
    curvature = max(float(product(np.zeros_like(R), np.ones_like(r))[1].sum()), 0.05)
    Z, z = precondition(R), r / curvature
    P, s = Z.copy(), z.copy()
    rz = first = float((R * Z).sum() + (r * z).sum())
    for _ in range(steps):
        HP, Hs = product(P, s)
        bend = float((P * HP).sum() + (s * Hs).sum())
        if not (bend > 0 and rz > 0):
            break
        a = rz / bend
        D, d, R, r = D + a * P, d + a * s, R - a * HP, r - a * Hs
        Z, z = precondition(R), r / curvature
        rz, before = float((R * Z).sum() + (r * z).sum()), rz
        if rz <= accuracy**2 * first:
            break
        P, s = Z + (rz / before) * P, z + (rz / before) * s
    return D, d


def working_set(instance: Instance, rounds: int = 40) -> Point:
    """L1: solve on a growing set of columns until the gap over all of them is closed."""
    loss, X, y, n = LOSSES[instance.problem.loss], instance.X, instance.y, instance.n
    coef, b = np.zeros(instance.p), 0.0
    chosen = np.zeros(instance.p, dtype=bool)
    for _ in range(rounds):
        gradient = np.abs(X.T @ loss.gradient(X @ coef + b, y)) / n
        violation = np.where(chosen, 0.0, gradient - instance.l1)
        more = np.argsort(-violation)[: max(200, int(chosen.sum()))]
        chosen[more[violation[more] > 0]] = True
        columns = np.flatnonzero(chosen)
        small = replace(instance, X=np.ascontiguousarray(X[:, columns]))
        coef[columns], b = _polish(small, *_bounded(small, coef[columns], b))
        point = Point(coef, np.asarray(b))
        if value(instance, point) - duality.lower_bound(instance, point) <= TARGET * value(instance, point):
            break
    return point


def _bounded(instance: Instance, coef: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """L-BFGS-B on the positive and negative parts."""
    loss, X, y, n, p = LOSSES[instance.problem.loss], instance.X, instance.y, instance.n, instance.p

    def function(v: np.ndarray) -> tuple[float, np.ndarray]:
        z = X @ (v[:p] - v[p : 2 * p]) + v[-1]
        t = loss.gradient(z, y) / n
        g = X.T @ t
        slope_b = t.sum() if instance.problem.intercept else 0.0
        total = float(loss.value(z, y).mean() + instance.l1 * v[: 2 * p].sum())
        return total, np.concatenate([g + instance.l1, instance.l1 - g, [slope_b]])

    start = np.concatenate([np.maximum(coef, 0), np.maximum(-coef, 0), [b]])
    bounds = [(0.0, None)] * (2 * p) + [(None, None)]
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-9 * instance.l1, "maxcor": 30}
    found = minimize(function, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return found[:p] - found[p : 2 * p], float(found[-1])


def _polish(instance: Instance, coef: np.ndarray, b: float, steps: int = 30) -> tuple[np.ndarray, float]:
    """Newton on the support with its signs held; a weight that crosses zero leaves. Kept only where it is better."""
    loss, X, y, n = LOSSES[instance.problem.loss], instance.X, instance.y, instance.n
    best, kept = value(instance, Point(coef, np.asarray(b))), (coef, b)
    for _ in range(steps):
        support = np.flatnonzero(coef)
        A = np.hstack([X[:, support], np.ones((n, int(instance.problem.intercept)))])
        z = X @ coef + b
        signs = np.concatenate([np.sign(coef[support]), np.zeros(A.shape[1] - len(support))])
        gradient = A.T @ loss.gradient(z, y) / n + instance.l1 * signs
        hessian = A.T @ (A * loss.curvature(z, y)[:, None]) / n  # type: ignore[attr-defined]
        step = np.linalg.lstsq(hessian, -gradient, rcond=1e-14)[0]
        moved = coef.copy()
        moved[support] += step[: len(support)]
        moved[np.sign(moved) * np.sign(coef) < 0] = 0.0
        coef, b = moved, b + float(step[len(support) :].sum())
        now = value(instance, Point(coef, np.asarray(b)))
        if now <= best:
            best, kept = now, (coef, b)
        if np.abs(step).max(initial=0.0) <= 1e-13 * np.abs(coef).max(initial=1e-300):
            break
    return kept


def interior_point(instance: Instance, steps: int = 100) -> tuple[Point, np.ndarray]:
    """Hinge: Mehrotra's method on min b'AA'b / (2 l2 n) - sum b over 0 <= b <= 1 (and y'b = 0 with an intercept).

    Returns the point and the dual point that bounds it.
    """
    y, n, strength = instance.y, instance.n, instance.l2 * instance.n
    A = instance.X * y[:, None]
    free = float(instance.problem.intercept)
    b, s, t, c = np.full(n, 0.5), np.ones(n), np.ones(n), 0.0
    for _ in range(steps):
        u = 1.0 - b
        w = A.T @ b / strength
        point = Point(w, np.asarray(free * c))
        primal = value(instance, point)
        if primal - duality.lower_bound(instance, point, -y * b) <= TARGET * primal:
            break
        residual = -(A @ w - 1.0 + free * c * y - s + t)
        D = s / b + t / u
        AD = A / D[:, None]
        factor = scipy.linalg.cho_factor(A.T @ AD + strength * np.eye(instance.p))

        def inverse(v: np.ndarray, D: np.ndarray = D, AD: np.ndarray = AD, factor=factor) -> np.ndarray:  # type: ignore
            return v / D - AD @ scipy.linalg.cho_solve(factor, AD.T @ v)

        along_y = inverse(y)

        def direction(rs: np.ndarray, rt: np.ndarray, b=b, u=u, s=s, t=t, r=residual, inverse=inverse, e=along_y):  # type: ignore
            right = inverse(r + rs / b - rt / u)
            dc = free * (y @ right + y @ b) / (y @ e)
            db = right - dc * e
            return db, (rs - s * db) / b, (rt + t * db) / u, dc

        db, ds, dt, dc = direction(-s * b, -t * u)
        a = _longest((b, db), (u, -db), (s, ds), (t, dt))
        mean = (s @ b + t @ u) / (2 * n)
        after = ((s + a * ds) @ (b + a * db) + (t + a * dt) @ (u - a * db)) / (2 * n)
        aim = mean * (after / mean) ** 3
        db, ds, dt, dc = direction(aim - s * b - ds * db, aim - t * u + dt * db)
        a = 0.995 * _longest((b, db), (u, -db), (s, ds), (t, dt))
        b, s, t, c = b + a * db, s + a * ds, t + a * dt, c + a * dc
    return point, -y * b


def _longest(*pairs: tuple[np.ndarray, np.ndarray]) -> float:
    """The longest step up to 1 that keeps every v + a dv positive."""
    a = 1.0
    for v, dv in pairs:
        falling = dv < 0
        if falling.any():
            a = min(a, float((-v[falling] / dv[falling]).min()))
    return a
