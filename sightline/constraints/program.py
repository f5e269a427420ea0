"""The convex program that every constrained fit comes down to.

    minimise over w, u >= 0, τ >= 0
        Σ_j (cost_j u_j + bend_j u_j²) + Σ_i share_i log(1 + exp(-label_i z_i)) + ½ Σ ridge w² + price Σ_k τ_k
    subject to
        u_j >= kink_j - side_j z_{row_j}          (a hinge of one row's score)
        Σ_j uses_kj u_j <= budget_k + τ_k          (a bound on a rate)

with z = [X, 1] w + offset.  A hinge loss is a piece with a cost, a squared hinge one with a bend, a hinge bound on a
rate a piece that a budget uses, a row that must lie on one side a piece of kink 0 with a high cost.  ``price`` makes
every program feasible; where the budgets can be kept and it exceeds their multipliers, τ is zero at the optimum.

Any multipliers give a lower bound (``lower_bound``), which is what certificates rest on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sightline.design_matrix import Design

Array = np.ndarray
ROUNDING = 2.0**-46  # residuals up to this share of their terms are rounding


class Matrix(Protocol):
    """[X, 1], (n, p + 1): products in float64."""

    n: int
    width: int

    def apply(self, w: Array) -> Array:
        """[X, 1] w, (n,) for w (p + 1,)."""

    def adjoint(self, v: Array) -> Array:
        """[X, 1]' v, (p + 1,) for v (n,) or (p + 1, K) for (n, K)."""

    def gram(self, d: Array) -> Array:
        """[X, 1]' diag(d) [X, 1], (p + 1, p + 1)."""


class Rows:
    """A dense matrix in memory, the last column of ones (zeros without an intercept)."""

    def __init__(self, X: Array, intercept: bool = True) -> None:
        last = np.ones((len(X), 1)) if intercept else np.zeros((len(X), 1))
        self.X = np.concatenate([np.asarray(X, dtype=np.float64), last], axis=1)
        self.n, self.width = self.X.shape

    def apply(self, w: Array) -> Array:
        """As in ``Matrix``."""
        return self.X @ w

    def adjoint(self, v: Array) -> Array:
        """As in ``Matrix``."""
        return self.X.T @ v

    def gram(self, d: Array) -> Array:
        """As in ``Matrix``; rows of no weight are left out."""
        X = self.X
        return X.T @ (d[:, None] * X)


class DesignRows:
    """The same over a ``Design``: sparse, on any device, or too large for a copy."""

    def __init__(self, design: Design, intercept: bool = True) -> None:
        self.design, self.intercept = design, intercept
        self.n, self.width = design.n, design.p + 1

    def _tensor(self, v: Array) -> object:
        import torch

        return torch.from_numpy(np.ascontiguousarray(v)).to(self.design.device)

    def apply(self, w: Array) -> Array:
        """As in ``Matrix``."""
        z: Array = self.design.scores(self._tensor(w[:-1])).cpu().numpy()  # type: ignore[arg-type]
        return z + w[-1] if self.intercept else z

    def adjoint(self, v: Array) -> Array:
        """As in ``Matrix``."""
        top = self.design.adjoint(self._tensor(v)).cpu().numpy()  # type: ignore[arg-type]
        last = v.sum(0) if self.intercept else np.zeros_like(v.sum(0))
        return np.concatenate([top, np.asarray(last)[None]])

    def gram(self, d: Array) -> Array:
        """As in ``Matrix``."""
        weights = self._tensor(d)
        p = self.width - 1
        whole = np.zeros((p + 1, p + 1))
        whole[:p, :p] = self.design.gram(weights).cpu().numpy()  # type: ignore[arg-type]
        if self.intercept:
            whole[:p, p] = whole[p, :p] = self.design.adjoint(weights).cpu().numpy()  # type: ignore[arg-type]
            whole[p, p] = d.sum()
        return whole


class WithCoefficients:
    """Another matrix with a row below for each coefficient but the intercept, whose score is the coefficient."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix, self.width = matrix, matrix.width
        self.n = matrix.n + matrix.width - 1

    def apply(self, w: Array) -> Array:
        """As in ``Matrix``."""
        return np.concatenate([self.matrix.apply(w), w[:-1]])

    def adjoint(self, v: Array) -> Array:
        """As in ``Matrix``."""
        n = self.matrix.n
        total = self.matrix.adjoint(v[:n])
        total[:-1] += v[n:]
        return total

    def gram(self, d: Array) -> Array:
        """As in ``Matrix``."""
        n = self.matrix.n
        total = self.matrix.gram(d[:n])
        total[np.arange(self.width - 1), np.arange(self.width - 1)] += d[n:]
        return total


@dataclass(frozen=True)
class Program:
    """The program above; all arrays float64.

    matrix : [X, 1].  row : (m,) int, the row of each piece.  side : (m,) -1 or 1.  kink, cost, bend : (m,).
    uses : (K, m) >= 0.  budget : (K,).  price : of a unit beyond a budget, > 0.
    share, label : (n,) of the logistic part, or None; a share may be zero.
    ridge : (p + 1,) >= 0, the intercept's last.  offset : (n,) added to the scores, or None.
    """

    matrix: Matrix
    row: Array
    side: Array
    kink: Array
    cost: Array
    bend: Array
    uses: Array
    budget: Array
    ridge: Array
    price: float = 1e3
    share: Array | None = None
    label: Array | None = None
    offset: Array | None = None
    straight: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "straight", not bool(self.bend.any()))

    def scores(self, w: Array) -> Array:
        """z, (n,)."""
        z = self.matrix.apply(w)
        return z if self.offset is None else z + self.offset

    def to_rows(self, v: Array) -> Array:
        """Σ over the pieces of a row, (n,) for v (m,)."""
        return np.bincount(self.row, v, self.matrix.n)

    def shortfall(self, z: Array) -> Array:
        """kink - side z of each piece, (m,)."""
        return self.kink - self.side * z[self.row]

    def used(self, w: Array) -> Array:
        """What each budget has to bear, (K,)."""
        return self.uses @ np.maximum(self.shortfall(self.scores(w)), 0.0)

    def objective(self, w: Array) -> float:
        """The first line of the program without τ, u as small as it may be."""
        z = self.scores(w)
        u = np.maximum(self.shortfall(z), 0.0)
        value = float(self.cost @ u) + 0.5 * float(self.ridge @ (w * w))
        if not self.straight:
            value += float(self.bend @ (u * u))
        if self.share is not None:
            assert self.label is not None
            value += float(self.share @ np.logaddexp(0.0, -self.label * z))
        return value

    def value(self, w: Array) -> float:
        """The whole first line: the objective, and the price of what is beyond the budgets."""
        return self.objective(w) + self.price * float(np.maximum(self.used(w) - self.budget, 0.0).sum())

    def lower_bound(self, w: Array, alpha: Array, lam: Array) -> float:
        """A number below every value of the program, from multipliers of the pieces (m,) and the budgets (K,).

        They are moved into their bounds and, by a least-squares step weighted with the room they have there, onto the
        equations that the weights impose; where a weight is unpenalised, a residual of the size of rounding is charged
        at twice its size.  ``w``, near the optimum, is used for that, for the right-hand side of penalised weights, and
        for the logistic part's slopes.  0, which nothing is below, where no feasible multipliers come of it.
        """
        free = self.ridge == 0
        bound = self._bound(w, alpha, lam, free)
        if free.all():
            return bound
        # Weak penalties punish a residual as hard as none does, strong ones better stay out of the least squares.
        return max(bound, self._bound(w, alpha, lam, np.ones_like(free)))

    def _bound(self, w: Array, alpha: Array, lam: Array, met: Array) -> float:
        """``lower_bound`` with the equations of the weights in ``met`` met by the step, (p + 1,) booleans."""
        lam = np.clip(lam, 0.0, self.price)
        cap = self.cost + lam @ self.uses
        top = np.where(self.bend > 0, np.inf, cap)
        alpha = np.clip(alpha, 0.0, top)
        z = self.scores(w)
        pull: Array | float = 0.0
        conjugate = 0.0
        if self.share is not None:
            assert self.label is not None
            wrong = np.exp(-np.logaddexp(0.0, self.label * z))  # probability of the wrong label
            pull = -self.share * self.label * wrong
        free = self.ridge == 0
        wanted = -self.ridge * w
        residual = self._residual(alpha, pull)
        for _ in range(4):
            size = self._sizes(alpha, pull)
            if not (np.abs(residual - wanted) > ROUNDING * size)[met].any():
                break
            room = np.minimum(alpha, np.where(np.isfinite(top), top - alpha, alpha))
            moved, change = self._moved(alpha, room, pull, residual - wanted, met)
            alpha = np.clip(moved, 0.0, top)
            if self.share is not None:
                assert self.label is not None
                pull = -self.label * np.clip(-self.label * change, 0.0, self.share)
            residual = self._residual(alpha, pull)
        size = self._sizes(alpha, pull)
        if (np.abs(residual[free]) > 16 * ROUNDING * size[free]).any():
            return 0.0
        if self.share is not None:
            assert self.label is not None and isinstance(pull, np.ndarray)
            q = np.minimum(np.abs(pull) / np.where(self.share > 0, self.share, 1.0), 1.0)
            conjugate = float(self.share @ (_xlogx(q) + _xlogx(1 - q)))
        bound = float(alpha @ self.kink) - float(lam @ self.budget) - conjugate
        if self.offset is not None:
            bound += float((pull - self.to_rows(alpha * self.side)) @ self.offset)
        if not self.straight:
            beyond = np.maximum(alpha - cap, 0.0)
            bound -= float((beyond**2 / np.where(self.bend > 0, 4 * self.bend, 1.0)).sum())
        bound -= 0.5 * float((residual[~free] ** 2 / self.ridge[~free]).sum())
        return max(bound - 2 * float((np.abs(residual) * np.abs(w))[free].sum()), 0.0)

    def _residual(self, alpha: Array, pull: Array | float) -> Array:
        """[X, 1]' of (the logistic slopes - side alpha), (p + 1,)."""
        return self.matrix.adjoint(pull - self.to_rows(alpha * self.side))

    def _sizes(self, alpha: Array, pull: Array | float) -> Array:
        """The size of the terms that add up to a residual, (p + 1,)."""
        weight = np.abs(pull) + self.to_rows(alpha)
        if isinstance(self.matrix, Rows):
            return np.abs(self.matrix.X).T @ weight
        return np.sqrt(np.diag(self.matrix.gram(weight)) * weight.sum())

    def _moved(
        self, alpha: Array, room: Array, pull: Array | float, residual: Array, met: Array
    ) -> tuple[Array, Array]:
        """Multipliers and slopes moved towards a residual of zero."""
        square = room * room
        weight = self.to_rows(square)
        slack = 0.0
        if self.share is not None:
            assert isinstance(pull, np.ndarray)
            slack = np.minimum(np.abs(pull), self.share - np.abs(pull)) ** 2
            weight = weight + slack
        gram = self.matrix.gram(weight)[np.ix_(met, met)]
        diagonal = np.diag(gram)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        right = np.where(diagonal > 0, residual[met] / scale, 0.0)
        step = np.zeros(len(residual))
        step[met] = np.linalg.lstsq(gram / scale / scale[:, None], right, rcond=1e-13)[0] / scale
        along = self.matrix.apply(step)
        return alpha + square * self.side * along[self.row], pull - slack * along


def _xlogx(q: Array) -> Array:
    return np.where(q > 0, q * np.log(np.maximum(q, 1e-300)), 0.0)
