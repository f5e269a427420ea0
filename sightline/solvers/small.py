"""Newton's method for small problems with one output, written so that a step is some twenty array operations.

The mathematics is that of ``newton``; on a hundred rows the time goes into calling operations, not into computing
them, so here the design matrix gets a column of ones and value, gradient and Hessian are formed in one place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg.lapack import dposv, dpotrs, dtrtri
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, Bound, self_concordant, smooth_gap
from sightline.losses import Logistic
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.base import Step
from sightline.solvers.factor import cholesky

Array = npt.NDArray[np.float64]

MOST_STEPS = 500  # Newton steps after which only rounding can be what keeps the value falling
SMALL_ELEMENTS = 100_000  # rows · weights up to which this form is used


def applies(objective: Objective) -> bool:
    """One output, a dense design matrix on the CPU, and few numbers."""
    design = objective.data.design
    return (
        objective.outputs is None
        and not design.sparse
        and design.device.type == "cpu"
        and design.n * (design.p + 1) <= SMALL_ELEMENTS
    )


class Rows:
    """Loss and derivatives of the rows at given scores, with the row weights in them, by way of torch."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.loss, self.y, self.s = objective, objective.loss, objective.data.y, objective.row_weights
        offset = objective.data.offset
        self.offset = None if offset is None else offset.numpy()

    def at(self, z: Array) -> float:
        """The mean loss at scores ``z``, to which what is asked next refers."""
        self.z = torch.from_numpy(z if self.offset is None else z + self.offset)
        value, self.dual = self.loss.value_and_gradient(self.z, self.y)
        return self.objective.mean(value)

    def first(self) -> Array:
        """Row weight times first derivative."""
        return (self.dual * self.s).numpy()

    def second(self) -> Array:
        """Row weight times second derivative."""
        return (self.loss.curvature_from(self.z, self.y, self.dual) * self.s).numpy()

    def third(self) -> Array | None:
        """Row weight times third derivative, where that is known."""
        return None


class LogisticRows(Rows):
    """The same for hard labels by way of NumPy, whose operations on a hundred numbers take half the time of torch's."""

    def __init__(self, objective: Objective) -> None:
        super().__init__(objective)
        self.t = self.y.numpy()
        self.weight = self.s.numpy() if isinstance(self.s, Tensor) else np.full(len(self.t), self.s)
        self.against = -self.t * self.weight

    def at(self, z: Array) -> float:
        """As ``Rows.at``."""
        margin = (z if self.offset is None else z + self.offset) * self.t
        e = np.exp(-np.abs(margin))
        likelier = 1 / (1 + e)  # the larger of the two labels' probabilities
        product = e * likelier
        self.wrong = np.where(margin > 0, product, likelier)
        self.curvature = product * likelier * self.weight
        return float(self.weight @ (np.log1p(e) - np.minimum(margin, 0)))

    def first(self) -> Array:
        """As ``Rows.first``."""
        return self.against * self.wrong

    def second(self) -> Array:
        """As ``Rows.second``."""
        return self.curvature

    def third(self) -> Array | None:
        """As ``Rows.third``."""
        return self.curvature * self.t * (2 * self.wrong - 1)


def rows_of(objective: Objective) -> Rows:
    """The quicker form that knows this loss."""
    loss = objective.loss
    return LogisticRows(objective) if isinstance(loss, Logistic) and not loss.soft else Rows(objective)


def small_steps(objective: Objective, start: Weights, armijo: float) -> Iterator[Step]:
    """Newton iterates; ends when the decrement is at the rounding level.

    Where the third derivative t of the rows is known a step has Chebyshev's correction -½ H⁻¹ Σ s t (x·d)² x: the
    convergence is cubic then, for a fraction of what a step costs (Traub 1964, "Iterative methods for the solution of
    equations", section 5.1).  If that does not lower the value as a Newton step must, the plain step is taken.
    """
    loss, p = objective.loss, objective.p
    X = objective.data.design.to_dense()
    A = (torch.cat([X, X.new_ones((len(X), 1))], 1) if objective.intercept else X).numpy()
    transposed = A.T
    ridge = objective.ridge[: A.shape[1]]
    lift = ridge.numpy()
    penalised = objective.penalty.l2 > 0
    nothing = torch.zeros((), dtype=torch.float64)
    constant = loss.self_concordance
    w = (start.flat() if objective.intercept else start.coef).numpy()
    rows = rows_of(objective)

    def evaluate(w: Array) -> float:
        """Value at w."""
        value = rows.at(A @ w)
        return value + 0.5 * float(lift @ (w * w)) if penalised else value

    value = evaluate(w)
    last = math.inf
    for _ in range(MOST_STEPS):
        gradient = transposed @ rows.first()
        hessian = (transposed * rows.second()) @ A
        if penalised:
            gradient += lift * w
            hessian.ravel()[:: len(w) + 1] += lift
        factor, direction, regular = newton_direction(hessian, gradient)
        slope = float(gradient @ direction)
        vector = torch.from_numpy(w)
        weights = Weights(vector[:p], vector[p] if objective.intercept else nothing)
        bound = NO_BOUND
        if -slope <= 1e-3 * max(abs(value), EPS * objective.null_value):
            if constant is None:
                whole = torch.from_numpy(gradient)
                now = Evaluation(
                    value, value, rows.z, rows.dual, objective.flat_gradient(whole), whole[:p] - (ridge * vector)[:p]
                )
                bound = smooth_gap(objective, weights, now)
            else:
                bound = _decrement_bound(transposed, factor, hessian, slope, constant)
        yield Step(weights, value, math.sqrt(float(gradient @ gradient)), bound)
        floor = 16 * EPS * abs(value)
        if not slope < 0 or -slope <= EPS**2 * abs(value) or (-slope < floor and -slope > 0.25 * last):
            return
        last, share = -slope, 1.0
        third = rows.third() if regular else None
        if third is not None:
            trial = w + direction - 0.5 * dpotrs(factor, transposed @ (third * (A @ direction) ** 2))[0]
            after = evaluate(trial)
            if after <= value + armijo * slope + floor:
                w, value = trial, after
                continue
        while True:
            trial = w + share * direction
            after = evaluate(trial)
            if after <= value + armijo * share * slope + floor:
                break
            share *= 0.5 if math.isfinite(after) else 0.1
            if share < 1e-12:
                return
        w, value = trial, after


def newton_direction(hessian: Array, gradient: Array) -> tuple[Array, Array, bool]:
    """Upper Cholesky factor of the Hessian, -H⁻¹g, and whether it is the Hessian itself that was factored."""
    factor, solution, info = dposv(hessian, gradient)
    if info:
        factor = cholesky(torch.from_numpy(hessian)).numpy().T
        solution = dpotrs(factor, gradient)[0]
    return factor, -solution, not info


def _decrement_bound(transposed: Array, factor: Array, hessian: Array, slope: float, constant: float) -> Bound:
    """The self-concordance bound (``bounds``); exact, from the normal equations, for a quadratic loss.  None from a
    Hessian that is singular to rounding, whose factor says nothing of it (see ``factor.checked_cholesky``)."""
    if not (factor.diagonal() ** 2 > 64 * len(factor) * EPS * hessian.diagonal()).all():
        return NO_BOUND
    decrement = math.sqrt(max(-slope, 0.0))
    if constant == 0:
        return Bound(0.5 * decrement**2, "normal equations")
    # By the inverse, not by dtrtrs: on a few columns its threads cost a thousand times what it does.
    half = dtrtri(factor)[0].T @ transposed
    radius = constant * math.sqrt(float(np.einsum("ij,ij->j", half, half).max()))
    return Bound(self_concordant(decrement, radius), "self-concordance")
