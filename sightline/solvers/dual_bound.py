"""A lower bound on the optimum of an L1 or sign-constrained problem, from a gradient that is known already.

    F* >= D(θ) = Σ s_i (θ_i offset_i - l*(θ_i)) - penalty*(-X'(sθ))   for any θ with Σ sθ = 0 (the intercept)

At θ = l'(z) the product X'(sθ) is the gradient; scaling θ by c scales it, so feasible points cost no read of X
(El Ghaoui, Viallon & Rabbani 2012, section 3; Fercoq, Gramfort & Salmon 2015, equation 9).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.bounds import EPS, conjugate_sum, dual_value
from sightline.objective import Evaluation, Objective, Weights


def lower_bound(objective: Objective, weights: Weights, now: Evaluation) -> float:
    """The best of the bounds at hand; -inf where there is none.  ``now`` with the intercept at its best."""
    penalty, dual, v = objective.penalty, now.dual, -now.loss_gradient
    if penalty.l1 == 0 and penalty.l2 == 0:
        return dual_value(objective, weights, dual)
    slack = 0.0
    if objective.intercept:
        dual, v, slack = _balanced(objective, weights, now)
    best = -math.inf
    for scale in _scales(objective, v):
        conjugate = penalty.conjugate(v * scale) if penalty.l2 else 0.0
        best = max(best, conjugate_sum(objective, dual * scale) - conjugate - scale * slack)
    return best


def _scales(objective: Objective, v: Tensor) -> list[float]:
    """Factors c in (0, 1] for θ: the largest that fits the L1 strengths, and 1 where an L2 part allows it."""
    penalty = objective.penalty
    scales = [1.0] if penalty.l2 else []
    if penalty.l1:
        size = v if penalty.positive else v.abs()
        worst = float((size / penalty.l1_strengths(v)).max())
        scales.append(1.0 if worst <= 1 else 1 / (worst * (1 + 4 * EPS)))
    return sorted(set(scales))


def _balanced(objective: Objective, weights: Weights, now: Evaluation) -> tuple[Tensor, Tensor, float]:
    """θ and -X'(sθ) with Σ sθ = 0, and what the rounding of that sum may cost: as if the optimal intercept were no
    further away than twice the intercept and the size of the residuals."""
    dual, v, excess = now.dual, -now.loss_gradient, now.gradient.intercept
    size = 1.0
    if objective.loss.targets == "real":
        residual = now.scores - objective.data.y
        size = math.sqrt(objective.mean(residual.square() if residual.ndim == 1 else residual.square().sum(1)))
    room = size + weights.intercept.abs()
    if objective.loss.quadratic and float((excess.abs() * room).sum()) > 4 * EPS * abs(now.value):
        cross = objective.data.design.adjoint(objective.weighted(torch.ones_like(dual)))
        dual, v = dual - excess, v + excess * cross
        excess = objective.weighted(dual).sum(0)
    return dual, v, 2 * float((excess.abs() * room).sum())
