"""Newton's method for small problems with one output, written so that a step is some twenty tensor operations.

The mathematics is that of ``newton``; on a hundred rows the time goes into calling operations, not into computing
them, so here the design matrix gets a column of ones and value, gradient and Hessian are formed in one place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, Bound, self_concordant, smooth_gap
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.base import Step

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
    A = torch.cat([X, X.new_ones((len(X), 1))], 1) if objective.intercept else X
    ridge = torch.zeros(A.shape[1], dtype=torch.float64)
    if objective.penalty.l2:
        ridge[:p] = objective.penalty.l2_strengths(ridge[:p])
    penalised = objective.penalty.l2 > 0
    offset, nothing = objective.data.offset, torch.zeros((), dtype=torch.float64)
    rows, transposed = A.numpy(), A.numpy().T
    w = start.flat() if objective.intercept else start.coef
    constant = loss.self_concordance

    def evaluate(w: Tensor) -> tuple[float, Tensor, Tensor]:
        """Value, scores and dual point at w."""
        z = torch.from_numpy(rows @ w.numpy())
        if offset is not None:
            z = z + offset
        value, dual = loss.value_and_gradient(z, y)
        total = objective.mean(value)
        if penalised:
            total += 0.5 * float(torch.dot(ridge, w * w))
        return total, z, dual

    value, z, dual = evaluate(w)
    last = math.inf
    while True:
        gradient = torch.from_numpy(transposed @ (dual * s).numpy())
        hessian = torch.from_numpy(transposed @ (A * (loss.curvature(z, y) * s)[:, None]).numpy())
        if penalised:
            gradient += ridge * w
            hessian.diagonal().add_(ridge)
        factor, direction, slope = newton_direction(hessian, gradient)
        weights = Weights(w[:p], w[p] if objective.intercept else nothing)
        bound = NO_BOUND
        if -slope <= 1e-3 * max(abs(value), EPS * objective.null_value):
            if constant is None:
                now = Evaluation(value, value, z, dual, objective.flat_gradient(gradient), gradient[:p] - (ridge * w)[:p])
                bound = smooth_gap(objective, weights, now)
            else:
                bound = _decrement_bound(A, factor, slope, constant)
        yield Step(weights, value, math.sqrt(float(torch.dot(gradient, gradient))), bound)
        floor = 16 * EPS * abs(value)
        if slope >= 0 or -slope <= EPS**2 * abs(value) or (-slope < floor and -slope > 0.25 * last):
            return
        last, share = -slope, 1.0
        while True:
            trial = torch.add(w, direction, alpha=share)
            after, z, dual = evaluate(trial)
            if after <= value + armijo * share * slope + floor:
                break
            share *= 0.5 if math.isfinite(after) else 0.1
            if share < 1e-12:
                return
        w, value = trial, after


def newton_direction(hessian: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor, float]:
    """Lower Cholesky factor of the Hessian, -H⁻¹g and its slope -g'H⁻¹g."""
    factor, info = torch.linalg.cholesky_ex(hessian)
    if int(info):
        from sightline.solvers.newton import cholesky

        factor = cholesky(hessian)
    direction = torch.cholesky_solve(gradient[:, None], factor)[:, 0].neg_()
    return factor, direction, float(torch.dot(gradient, direction))


def _decrement_bound(A: Tensor, factor: Tensor, slope: float, constant: float) -> Bound:
    """The self-concordance bound (``bounds``); exact, from the normal equations, for a quadratic loss."""
    decrement = math.sqrt(max(-slope, 0.0))
    if constant == 0:
        return Bound(0.5 * decrement**2, "normal equations")
    half = torch.linalg.solve_triangular(factor, A.T, upper=False).numpy()
    radius = constant * math.sqrt(float(np.einsum("ij,ij->j", half, half).max()))
    return Bound(self_concordant(decrement, radius), "self-concordance")
