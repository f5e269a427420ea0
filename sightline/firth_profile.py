"""Profile-likelihood intervals of a fit with Firth's penalty (Heinze & Schemper 2002)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data import make_data
from sightline.exact import Floats
from sightline.firth import Firth, Point
from sightline.objective import Objective, Weights
from sightline.result import Result
from sightline.threads import LARGE, each, over_rows, ranges

ROUNDS = 60
SMALL = 0.2  # largest share of the prior in the curvature with which it counts as small
CLOSE = 1e-9  # of the distance on the scale of the signed root


@dataclass(frozen=True)
class ProfileIntervals:
    """Intervals of the coefficients, in the data's units.

    names : (q,) columns, the intercept first where there is one.  estimate, error : (q,) float64, the error from the
        inverse Fisher information.  low, high : (q,) ends of the interval at ``level``; NaN where none was found.
    p_value : (q,) of the penalised likelihood-ratio test of zero, by χ² with one degree of freedom.
    """

    names: tuple[str, ...]
    estimate: NDArray[np.float64]
    error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p_value: NDArray[np.float64]
    level: float

    def __str__(self) -> str:
        share = f"{100 * self.level:g} %"
        width = max(12, *map(len, self.names))
        lines = [f"{'':{width}}  {'coefficient':>12}  {'std. error':>10}  {share + ' from':>12}  {'to':>12}  {'p':>8}"]
        table = zip(self.names, self.estimate, self.error, self.low, self.high, self.p_value)
        for name, b, e, low, high, p in table:
            lines.append(f"{name:{width}}  {b:12.5g}  {e:10.4g}  {low:12.5g}  {high:12.5g}  {p:8.2g}")
        return "\n".join(lines)


def profile_intervals(
    result: Result,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    level: float = 0.95,
) -> ProfileIntervals:
    """Profile-likelihood intervals and tests for a fit with ``penalty=sl.Firth()``, on the data it was fitted to.

    A value b of a coefficient lies in the interval when the penalised log-likelihood, at its highest with the
    coefficient held at b, is less than half the χ²(1) quantile below its maximum.  Both use Jeffreys' prior of the
    whole model, as R's ``logistf`` does.

    Parameters
    ----------
    result : of ``sl.fit(..., penalty=sl.Firth())``.  X (n, p), y (n,), sample_weight, class_weight, offset : as there.
    level : coverage, between 0 and 1.

    Raises
    ------
    ValueError : another penalty, or a level out of range.  DataError : the rows do not fit the model.

    Source: G. Heinze and M. Schemper, "A solution to the problem of separation in logistic regression", Statist. Med.
    21 (2002).

    >>> import sightline as sl
    >>> X, y = [[0.0], [1], [2], [3], [4]], [0, 0, 0, 1, 1]
    >>> found = sl.profile_intervals(sl.fit(X, y, loss="logistic", penalty=sl.Firth()), X, y)
    >>> found.names, bool(found.low[1] < found.estimate[1] < found.high[1])
    (('(intercept)', 'x1'), True)
    """
    if not result.penalty.jeffreys:
        raise ValueError(
            f"profile_intervals is for fits with penalty=sl.Firth(); this one has the penalty {result.penalty}."
        )
    data = make_data(
        X, y, result.loss, sample_weight=sample_weight, class_weight=class_weight, offset=offset,
        classes=result.classes, columns=result.columns,
    )  # fmt: skip
    objective = Objective(data, result.loss, result.penalty, result.fit_intercept)
    return intervals(objective, Weights(result.weight[0].double(), result.bias[0].double()), result.columns, level)


def intervals(
    objective: Objective, weights: Weights, columns: Sequence[str] | None, level: float = 0.95
) -> ProfileIntervals:
    """``profile_intervals`` for those who have an ``Objective``, near the optimum ``weights``."""
    from scipy.special import chdtrc, chdtri

    if not 0 < level < 1:
        raise ValueError(f"level={level}; it lies between 0 and 1, such as 0.95.")
    problem = Firth(objective)
    best = _last(problem, problem.from_user(weights), None)
    errors = np.sqrt(np.diag(problem.covariance(best)))
    beta = np.linalg.solve(problem.T, best.gamma)
    p = objective.p
    order = [p, *range(p)] if objective.intercept else list(range(p))
    height = math.sqrt(float(chdtri(1, 1 - level)))
    prior = _small_prior(best)
    low, high, tests = (np.full(len(order), math.nan) for _ in range(3))

    def profile(places: slice) -> None:
        for place in range(places.start, places.stop):
            j = order[place]
            line = _Line(problem, best, j, float(beta[j]), float(errors[j]), prior)
            low[place], high[place] = line.root(-height), line.root(height)
            tests[place] = float(chdtrc(1, line.signed(0.0)[0] ** 2))

    # Thousands of small products: each coefficient stays with one thread, and BLAS does not share them out again.
    with over_rows(LARGE):
        each(profile, ranges(len(order), LARGE))
    known = columns if columns is not None else [f"x{j + 1}" for j in range(p)]
    names = ["(intercept)", *known] if objective.intercept else list(known)
    return ProfileIntervals(tuple(names), np.asarray(beta[order]), np.asarray(errors[order]), low, high, tests, level)


def _last(problem: Firth, start: Floats, along: Floats | None, prior: Floats | None = None) -> Point:
    return list(problem.newton(start, along, prior))[-1]


def _small_prior(best: Point) -> Floats | None:
    """The prior's part of the Hessian at the optimum, where it is so small beside the information that it may stand for
    the one along all profiles; else None, as in samples that are small or separated."""
    if best.hessian is None:
        return None
    prior = best.hessian - best.information
    L = np.linalg.cholesky(best.information)
    share = np.linalg.eigvalsh(np.linalg.solve(L, np.linalg.solve(L, prior).T))
    return prior if float(np.abs(share).max()) <= SMALL else None


class _Line:
    """The profile of one coefficient b: r(b) = ± √(2 (F(b) - F)), which is close to linear in b."""

    def __init__(
        self, problem: Firth, best: Point, j: int, centre: float, error: float, prior: Floats | None
    ) -> None:
        self.problem, self.best, self.centre, self.error = problem, best, centre, error
        row = np.linalg.solve(problem.T.T, np.eye(problem.q)[j])  # b = row · γ
        length = float(np.sqrt(row @ row))
        self.unit = row / length**2  # a step of one in b, at right angles to what is left free
        complete = np.linalg.qr(row[:, None], mode="complete")[0]
        self.free: Floats = np.asarray(complete[:, 1:])
        # Along the ridge of the likelihood, to first order: where the other coefficients follow.
        self.ridge = np.linalg.solve(best.information, row)
        self.ridge /= float(row @ self.ridge)
        self.warm = (centre, best.gamma)
        self.prior = prior

    def signed(self, b: float) -> tuple[float, float]:
        """r(b) and its derivative."""
        at, gamma = self.warm
        start = gamma + (b - at) * self.ridge
        if self.free.shape[1]:
            point = _last(self.problem, start, self.free, self.prior)
        else:
            found = self.problem.at(start, self.prior)
            assert found is not None
            point = found
        self.warm = (b, point.gamma)
        rise = max(point.value - self.best.value, 0.0)
        slope = float(point.gradient @ self.unit)  # the rest of the gradient is zero
        r = math.copysign(math.sqrt(2 * rise), b - self.centre)
        return r, (slope / r if r else 1 / self.error)

    def root(self, height: float) -> float:
        """b with r(b) = height: Newton's method between brackets; NaN where it is not reached."""
        side = math.copysign(1.0, height)
        inner, outer = self.centre, math.inf * side
        self.warm = (self.centre, self.best.gamma)
        b = self.centre + height * self.error
        for _ in range(ROUNDS):
            r, slope = self.signed(b)
            off = (r - height) * side
            if abs(off) <= CLOSE * abs(height):
                return b
            if off < 0:
                inner = b
            else:
                outer = b
            step = b - (r - height) / slope if slope > 0 else math.nan
            most = inner + 4 * side * max(abs(inner - self.centre), self.error)
            if math.isinf(outer):
                b = step if math.isfinite(step) and abs(step - inner) <= abs(most - inner) else most
                b = b if (b - inner) * side > 0 else most
            else:
                between = math.isfinite(step) and min(inner, outer) < step < max(inner, outer)
                b = step if between else (inner + outer) / 2
            if abs(outer - inner) <= 1e-13 * abs(self.error):
                return b
        return math.nan
