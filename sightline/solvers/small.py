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


def small_steps(objective: Objective, start: Weights, armijo: float) -> Iterator[Step]:
    """Newton iterates; ends when the decrement is at the rounding level."""
    loss, y, s, p = objective.loss, objective.data.y, objective.row_weights, objective.p
    X = objective.data.design.to_dense()
    A = (torch.cat([X, X.new_ones((len(X), 1))], 1) if objective.intercept else X).numpy()
    transposed = A.T
    ridge = objective.ridge[: A.shape[1]]
    lift = ridge.numpy()
    penalised = objective.penalty.l2 > 0
    offset, nothing = objective.data.offset, torch.zeros((), dtype=torch.float64)
    constant = loss.self_concordance
    w = (start.flat() if objective.intercept else start.coef).numpy()

    def evaluate(w: Array) -> tuple[float, Tensor, Tensor]:
        """Value, scores and dual point at w."""
        z = torch.from_numpy(A @ w)
        if offset is not None:
            z = z + offset
        value, dual = loss.value_and_gradient(z, y)
        total = objective.mean(value)
        return total + 0.5 * float(lift @ (w * w)) if penalised else total, z, dual

    value, z, dual = evaluate(w)
    last = math.inf
    for _ in range(MOST_STEPS):
        gradient = transposed @ (dual * s).numpy()
        curvature = (loss.curvature_from(z, y, dual) * s).numpy()
        hessian = (transposed * curvature) @ A
        if penalised:
            gradient += lift * w
            hessian.ravel()[:: len(w) + 1] += lift
        factor, direction = newton_direction(hessian, gradient)
        slope = float(gradient @ direction)
        vector = torch.from_numpy(w)
        weights = Weights(vector[:p], vector[p] if objective.intercept else nothing)
        bound = NO_BOUND
        if -slope <= 1e-3 * max(abs(value), EPS * objective.null_value):
            if constant is None:
                whole = torch.from_numpy(gradient)
                now = Evaluation(
                    value, value, z, dual, objective.flat_gradient(whole), whole[:p] - (ridge * vector)[:p]
                )
                bound = smooth_gap(objective, weights, now)
            else:
                bound = _decrement_bound(transposed, factor, hessian, slope, constant)
        yield Step(weights, value, math.sqrt(float(gradient @ gradient)), bound)
        floor = 16 * EPS * abs(value)
        if not slope < 0 or -slope <= EPS**2 * abs(value) or (-slope < floor and -slope > 0.25 * last):
            return
        last, share = -slope, 1.0
        while True:
            trial = w + share * direction
            after, z, dual = evaluate(trial)
            if after <= value + armijo * share * slope + floor:
                break
            share *= 0.5 if math.isfinite(after) else 0.1
            if share < 1e-12:
                return
        w, value = trial, after


def newton_direction(hessian: Array, gradient: Array) -> tuple[Array, Array]:
    """Upper Cholesky factor of the Hessian and -H⁻¹g."""
    factor, solution, info = dposv(hessian, gradient)
    if info:
        factor = cholesky(torch.from_numpy(hessian)).numpy().T
        solution = dpotrs(factor, gradient)[0]
    return factor, -solution


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
