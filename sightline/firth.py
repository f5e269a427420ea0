"""Bias-reduced logistic regression: the likelihood times Jeffreys' prior (Firth 1993).

Minimises  Σ w_i log(1 + exp(-m_i)) - ½ log det I(β),  I(β) = Σ w_i p_i (1 - p_i) x_i x_i'.  The minimiser is finite
whatever the data, as long as the columns are independent (Heinze & Schemper 2002; proven by Kosmidis & Firth 2021).
The second term is no convex function, so what is proven is a strict local minimum, and a bound from either term alone.

Everything here is on an orthonormal basis of the standardised columns, A = Q R: there the problem is the same but for a
constant, 2 log det R, and well conditioned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_triangular

from sightline.data import DataError
from sightline.exact import Floats
from sightline.objective import Objective, Weights
from sightline.penalties import NONE

LARGEST = 5e7  # numbers in the dense matrix that is worked on
PRODUCTS = 3e10  # multiplications beyond which the exact Hessian is left to the Fisher information
EPS = 2.0**-52
STEPS = 200
CONVERGED = 1e-12  # size of a Newton step in standard errors that ends the fit


def refuses(objective: Objective) -> str | None:
    """Why the problem has no Firth penalty, as a sentence, or None."""
    if objective.loss.name != "logistic" or getattr(objective.loss, "soft", False):
        return (
            f"penalty=Firth() is for the logistic loss with two classes, not the {objective.loss} loss. With more"
            " classes an L2 penalty (C=1) gives finite estimates."
        )
    if objective.n * (objective.p + 1.0) > LARGEST:
        return (
            f"penalty=Firth() works on a dense matrix, and {objective.n} rows × {objective.p} columns are too many;"
            " an L2 penalty (C=1) gives finite estimates."
        )
    return None


@dataclass(frozen=True)
class Point:
    """The objective at γ: value (sum form, without the constant), gradient (q,), Fisher information (q, q) and, where
    it was asked for, the Hessian (q, q)."""

    gamma: Floats
    value: float
    gradient: Floats
    information: Floats
    hessian: Floats | None

    def step(self) -> Floats:
        """Newton's step, by the information where the Hessian is not positive definite."""
        for H in (self.hessian, self.information):
            if H is not None:
                try:
                    L = np.linalg.cholesky(H)
                except np.linalg.LinAlgError:
                    continue
                return -np.asarray(np.linalg.solve(L.T, np.linalg.solve(L, self.gradient)))
        return np.zeros_like(self.gradient)

    def errors(self, step: Floats) -> float:
        """Size of a step in standard errors: |I^½ step|."""
        return math.sqrt(max(float(step @ self.information @ step), 0.0))


class Firth:
    """The problem on an orthonormal basis; γ = T β, β the coefficients with the intercept last."""

    def __init__(self, objective: Objective) -> None:
        why = refuses(objective)
        if why is not None:
            raise ValueError(why)
        data = objective.data
        X = data.design.to_dense().double().cpu().numpy()
        intercept = objective.intercept
        mean = X.mean(0) if intercept else np.zeros(X.shape[1])
        X = X - mean
        scale = np.sqrt(np.square(X).mean(0))
        sizes = np.where(scale > 0, scale, 1.0)
        A = X / sizes
        if intercept:
            A = np.hstack([A, np.ones((len(A), 1))])
        self.Q: Floats = A
        R = np.zeros((0, A.shape[1]))
        if len(A) >= A.shape[1]:
            self.Q, R = np.linalg.qr(A)
        _check_rank(objective, R, scale)
        q = A.shape[1]
        # A β' = X β with β' = diag(sizes) β and the intercept taken at the means.
        D = np.diag(np.append(sizes, np.ones(int(intercept))))
        if intercept:
            D[-1, :-1] = mean
        self.T: Floats = R @ D
        self.constant = float(np.log(np.abs(np.diag(R))).sum() + np.log(sizes).sum())
        self.objective, self.intercept, self.q, self.mean = objective, intercept, q, mean
        y = data.y.cpu().numpy()
        self.sign, self.target = y, (y > 0).astype(np.float64)
        self.weight: Floats = np.ones(len(y)) if data.weight is None else data.weight.cpu().numpy()
        self.offset: Floats = np.zeros(len(y)) if data.offset is None else data.offset.cpu().numpy()
        self.exact = len(y) * float(q) ** 3 <= PRODUCTS

    # ------------------------------------------------------------------------------------------------- values

    def value(self, gamma: Floats) -> float:
        """The objective in sum form, without the constant; inf where the information vanishes in rounding."""
        z = self.Q @ gamma + self.offset
        p = _sigmoid(z)
        sign, log = np.linalg.slogdet(self._gram(self.weight * p * _sigmoid(-z)))
        if sign <= 0 or not math.isfinite(log):
            return math.inf
        return float(self.weight @ np.logaddexp(0.0, -self.sign * z)) - 0.5 * float(log)

    def at(self, gamma: Floats, prior: Floats | None = None) -> Point | None:
        """The objective with its derivatives; None where the information vanishes in rounding.

        prior : (q, q) to take for the prior's part of the Hessian, which costs q times the rest; None to make it.
        """
        Q, w = self.Q, self.weight
        z = Q @ gamma + self.offset
        p, other = _sigmoid(z), _sigmoid(-z)
        v = p * other
        information = self._gram(w * v)
        try:
            L = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return None
        U = solve_triangular(L, Q.T, lower=True, check_finite=False).T
        leverage = np.square(U).sum(1)  # x' I⁻¹ x
        first = w * v * (other - p)
        # -w (y - p), without cancellation
        residual = np.where(self.target > 0, -w * other, w * p)
        gradient = Q.T @ (residual - 0.5 * first * leverage)
        value = float(w @ np.logaddexp(0.0, -self.sign * z)) - float(np.log(np.diag(L)).sum())
        hessian = None
        if prior is not None:
            hessian = information + prior
        elif self.exact:
            curved = self._gram(w * v * (1 - 6 * v) * leverage)
            K = self._third(U, first)
            hessian = information - 0.5 * (curved - K @ K.T)
            hessian = (hessian + hessian.T) / 2
        return Point(gamma, value, gradient, information, hessian)

    def _gram(self, d: Floats) -> Floats:
        return np.asarray(self.Q.T @ (self.Q * d[:, None]))

    def _third(self, U: Floats, first: Floats) -> Floats:
        """Σ_i first_i q_i ⊗ U_i ⊗ U_i: its products are the second part of the Hessian of log det.

        U ⊗ U is symmetric: (q, q (q + 1) / 2), what stands in it twice times √2.
        """
        q = self.q
        weighted = (self.Q * first[:, None]).T
        parts = []
        for j in range(q):
            later = math.sqrt(2.0) * U[:, j:]
            later[:, 0] = U[:, j]
            later *= U[:, j : j + 1]
            parts.append(weighted @ later)
        return np.concatenate(parts, axis=1)

    # ------------------------------------------------------------------------------------------------- Newton

    def newton(
        self, start: Floats | None = None, along: Floats | None = None, prior: Floats | None = None
    ) -> Iterator[Point]:
        """Points of falling value, from ``start``; within start + span of ``along`` (q, r) where it is given.

        prior : as in ``at``, from a point nearby: steps then come nearer by a factor that is small where the prior is;
        where it is not, the exact Hessian takes over.
        """
        gamma = np.zeros(self.q) if start is None else start
        point = self.at(gamma, prior)
        if point is None:
            point = self.at(np.zeros(self.q), prior)
        assert point is not None
        last = math.inf
        for _ in range(STEPS):
            yield point
            step = _restricted(point, along)
            slope = float(point.gradient @ step)
            if not slope < 0:
                return
            size = point.errors(step)
            near = size < 1e-5  # where Newton's step is right and the value too rounded to say so
            if near and (size < CONVERGED or size > 0.5 * last):
                if prior is None or size < CONVERGED:
                    return
                prior, last, again = None, math.inf, self.at(point.gamma)
                assert again is not None
                point = again
                continue
            last = size if near else math.inf
            length, now = 1.0, None
            while length > 1e-12:
                trial = point.gamma + length * step
                if near or self.value(trial) <= point.value + 1e-4 * length * slope:
                    now = self.at(trial, prior)
                    break
                length /= 2
            if now is None:
                return
            point = now

    # --------------------------------------------------------------------------------------------- coordinates

    def to_user(self, gamma: Floats) -> Weights:
        """γ as weights in the user's units."""
        beta = np.linalg.solve(self.T, gamma)
        like = self.objective.zeros()
        coef = torch.from_numpy(beta[: self.objective.p].copy()).to(like.coef.device)
        return Weights(coef, coef.new_full((), float(beta[-1]) if self.intercept else 0.0))

    def from_user(self, weights: Weights) -> Floats:
        """Weights in the user's units as γ."""
        beta = weights.coef.cpu().numpy()
        if self.intercept:
            beta = np.append(beta, float(weights.intercept))
        return np.asarray(self.T @ beta)

    def covariance(self, point: Point) -> Floats:
        """I(β)⁻¹ in the user's units, (q, q), the intercept last."""
        inverse = np.linalg.inv(self.T)
        return np.asarray(inverse @ np.linalg.inv(point.information) @ inverse.T)

    def rounding(self, point: Point) -> float:
        """What rounding the intercept to float64 may move, in standard errors: much where columns are far from zero."""
        if not self.intercept:
            return 0.0
        weights = self.to_user(point.gamma)
        terms = float(np.abs(self.mean) @ np.abs(weights.coef.cpu().numpy())) + abs(float(weights.intercept))
        return 4 * EPS * terms * math.sqrt(0.25 * float(self.weight.sum()))

    def mean_form(self, value: float) -> float:
        """The objective as it is reported: per unit of weight, with log det of the user's own columns."""
        return (value - self.constant) / float(self.weight.sum())

    def bound(self, lower: float) -> float:
        """What no γ goes below, in sum form: the likelihood's bound and the prior's, log det I <= log det Q'WQ / 4."""
        return lower - 0.5 * float(np.linalg.slogdet(self._gram(0.25 * self.weight))[1])


def _restricted(point: Point, along: Floats | None) -> Floats:
    if along is None:
        return point.step()
    inner = Point(
        point.gamma, point.value, along.T @ point.gradient, along.T @ point.information @ along,
        None if point.hessian is None else along.T @ point.hessian @ along,
    )  # fmt: skip
    return np.asarray(along @ inner.step())


def _check_rank(objective: Objective, R: Floats, scale: Floats) -> None:
    """DataError where a column is a combination of others: the prior then is zero everywhere."""
    names = objective.data.columns
    size = np.abs(np.diag(R)) if len(R) else np.zeros(0)
    length = np.sqrt(np.square(R).sum(0)) if len(R) else np.zeros(0)
    bad = np.flatnonzero(size <= 1e-10 * length) if len(size) else np.zeros(0, dtype=int)
    if len(size) and not len(bad) and (scale > 0).all():
        return
    if not len(size):
        what = f"there are fewer rows ({objective.n}) than weights"
    else:
        j = int(np.flatnonzero(scale == 0)[0]) if (scale == 0).any() else int(min(bad[0], objective.p - 1))
        name = repr(names[j]) if names else f"number {j}"
        what = f"column {name} is constant or a combination of the columns before it"
    raise DataError(
        f"penalty=Firth() needs independent columns, and {what}. Leave out such columns (sl.separation names them as"
        " 'aliased'), or take an L2 penalty (C=1)."
    )


def _sigmoid(z: Floats) -> Floats:
    return np.exp(-np.logaddexp(0.0, -z))


def unpenalised(objective: Objective) -> Objective:
    """The likelihood alone."""
    from dataclasses import replace

    return replace(objective, penalty=NONE)


