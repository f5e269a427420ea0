"""Proven bounds on the distance of an objective from its optimum.

Three arguments, each valid at any weights; which of them applies is read from the loss and the penalty.

strong convexity   With an L2 part on every coefficient and the intercept at its best, the gap is at most
                   Σ g_j² / (2 λ_j): the Fenchel duality gap at the dual point l'(z).
self-concordance   With |l'''| <= R l'' (Bach 2010), Newton decrement ν and r = R max_i |(x_i, 1)|_{H⁻¹}, rν < 1:
                   gap <= ((1 - rν) log(1 - rν) + rν) / r².  Also proves that the optimum exists.
duality            F(w) - D(θ) for any dual feasible θ (Rockafellar 1970, thm 31.2), made feasible by scaling
                   (L1), balancing (the intercept asks for Σ sθ = 0) and weighted projection (no penalty).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.objective import Evaluation, Objective, Weights
from sightline.projection import without_penalty

EPS = 2.0**-52


@dataclass(frozen=True)
class Bound:
    """A proven bound ``gap`` on value - optimum and the argument that gives it."""

    gap: float
    method: str


NO_BOUND = Bound(math.inf, "none")


def relative_scale(objective: Objective, value: float, dtype: torch.dtype = torch.float64) -> float:
    """What a gap is relative to: the objective's value, or one rounding unit (of the weights' dtype) of the null
    model's loss where that is larger, so that a perfect fit has a scale too; with a loss that is linear in the residual
    the square root of the unit, which is what the unit is to a squared one.  A constant target's null model is perfect:
    there it is the loss of residuals that are rounding."""
    unit = torch.finfo(dtype).eps
    null = (unit if objective.loss.smooth else math.sqrt(unit)) * objective.null_value
    return max(abs(value), null, objective.rounding_value)


def smooth_gap(
    objective: Objective, weights: Weights, evaluation: Evaluation, factor: Tensor | None = None
) -> Bound:
    """The best bound for a smooth loss without an L1 part.

    ``factor`` is the lower Cholesky factor of the Hessian at ``weights`` where it is known.
    """
    best = NO_BOUND
    if objective.penalty.l2 > 0:
        best = strong_convexity_gap(objective, weights, evaluation)
    if factor is not None and objective.loss.self_concordance is not None:
        other = self_concordance_gap(objective, evaluation, factor)
        if other.gap < best.gap:
            best = other
    if objective.penalty.none and objective.loss.self_concordance is None:
        best = duality_gap(objective, weights, evaluation.value, evaluation.dual)
    return best


def strong_convexity_gap(objective: Objective, weights: Weights, evaluation: Evaluation) -> Bound:
    """Σ g_j² / (2 λ_j) with the intercept moved to its best value first."""
    lost = 0.0
    if objective.intercept:
        better = best_intercept(objective, weights, evaluation)
        if better is not None:
            moved = objective.evaluate_scores(better[0], better[1])
            lost = max(0.0, evaluation.value - moved.value)
            weights, evaluation = better[0], moved
    g = evaluation.gradient.coef
    gap = 0.5 * float((g.square() / objective.penalty.l2_strengths(g)).sum())
    # What is left of the intercept's gradient is rounding; it counts with the intercept itself.
    slack = float((evaluation.gradient.intercept.abs() * (1 + weights.intercept.abs())).sum())
    return Bound(gap + lost + slack, "strong convexity")


def best_intercept(objective: Objective, weights: Weights, evaluation: Evaluation) -> tuple[Weights, Tensor] | None:
    """Weights and scores with the intercept at its best for these coefficients; None where it is there already
    (gradient at the rounding level).  Newton's method, kept within a bracket for a single output."""
    scores, dual, loss = evaluation.scores, evaluation.dual, objective.loss
    shift, low, high = torch.zeros_like(weights.intercept), -math.inf, math.inf
    for _ in range(100):
        weighted = objective.weighted(dual)
        g = weighted.sum(0)
        if bool((g.abs() <= 8 * EPS * weighted.abs().sum(0)).all()):
            break
        if scores.ndim == 1:
            low, high = (low, float(shift)) if float(g) > 0 else (float(shift), high)
            new = shift + _intercept_step(objective, scores, dual, float(g), (low - float(shift), high - float(shift)))
        else:
            new = shift - _intercept_steps(objective, scores, g)
        if bool(((new - shift).abs() <= EPS * (weights.intercept + shift).abs()).all()):
            break
        shift = new
        scores = evaluation.scores + shift
        dual = loss.gradient(scores, objective.data.y)
    return (Weights(weights.coef, weights.intercept + shift), scores) if bool(shift.any()) else None


def _intercept_step(
    objective: Objective, scores: Tensor, dual: Tensor, g: float, room: tuple[float, float]
) -> float:
    """Newton's step where it stays inside the bracket, else the step of a majorant, else half of the room."""
    y, loss = objective.data.y, objective.loss
    d = objective.mean(loss.curvature(scores, y))
    step = -g / d if d > 0 else math.inf
    if loss.self_concordance:
        step = min(max(step, -2.0), 2.0)
    if not room[0] < step < room[1] and loss.targets == "real":
        residual = scores - y
        ratio = torch.where(residual == 0, 1.0, dual / torch.where(residual == 0, 1.0, residual))
        step = -g / objective.mean(ratio)
    if not room[0] < step < room[1]:
        step = 0.5 * (room[0] + room[1])
    return step if math.isfinite(step) else 0.0


def _intercept_steps(objective: Objective, scores: Tensor, g: Tensor) -> Tensor:
    """What Newton subtracts from the intercepts of K outputs with gradient ``g``."""
    loss = objective.loss
    d = objective.weighted(loss.curvature(scores, objective.data.y))
    if loss.quadratic:
        return g / d.sum(0)
    h = torch.diag(d.sum(0)) - d.T @ (d / objective.weighted(torch.ones_like(d)))
    return torch.linalg.solve(h + h.diagonal().mean() / len(h), g).clamp(-2.0, 2.0)


def self_concordance_gap(objective: Objective, evaluation: Evaluation, factor: Tensor) -> Bound:
    """The bound by the Newton decrement; ``factor`` lower Cholesky factor of the Hessian, layout of Weights.flat."""
    g = evaluation.gradient.flat()
    half = torch.linalg.solve_triangular(factor, g[:, None], upper=False)[:, 0]
    decrement = float(half.norm())
    constant = objective.loss.self_concordance
    assert constant is not None
    if constant == 0:
        return Bound(0.5 * decrement**2, "normal equations")
    if decrement == 0:
        return Bound(0.0, "self-concordance")
    radius = constant * math.sqrt(max_row_norm_squared(objective, factor))
    return Bound(self_concordant(decrement, radius), "self-concordance")


def self_concordant(decrement: float, radius: float) -> float:
    """((1 - a) log(1 - a) + a) / r², a = rν: inf where a >= 1."""
    a = radius * decrement
    if not a < 1:
        return math.inf
    if a < 1e-4:
        return 0.5 * decrement**2 * (1 + a)
    return ((1 - a) * math.log1p(-a) + a) / radius**2


def max_row_norm_squared(objective: Objective, factor: Tensor) -> float:
    """max over rows of |(x_i, 1)|²_{H⁻¹}; with K outputs a bound on the largest range of the K scores that a
    direction of unit length in H can give a row."""
    p, k = objective.p, objective.outputs
    eye = torch.eye(len(factor), dtype=torch.float64, device=factor.device)
    inverse = torch.linalg.solve_triangular(factor, eye, upper=False)
    size = p + 1
    worst = None
    for i in range(k or 1):
        part = inverse[:, i * size : (i + 1) * size]
        block = part[:, :p].T.contiguous()
        norms = objective.data.design.row_norms_squared(block)
        if objective.intercept:
            cross = objective.data.design.scores(block @ part[:, p])
            norms = norms + 2 * cross + part[:, p].square().sum()
        worst = norms if worst is None else torch.maximum(worst, norms)
    assert worst is not None
    # The range of the scores over the outputs is at most the sum of the two largest deviations.
    return float(worst.max()) * (1.0 if k is None else 4.0)


def duality_gap(objective: Objective, weights: Weights, value: float, dual: Tensor) -> Bound:
    """value - D(θ) for the dual point ``dual`` (shape of the scores, no row weights), made feasible first."""
    lower = dual_value(objective, weights, dual)
    return Bound(max(value - lower, 0.0) + 4 * EPS * abs(value), "duality gap")


def dual_value(objective: Objective, weights: Weights, dual: Tensor) -> float:
    """D(θ'), a lower bound on the optimum, for θ' the nearest feasible point this function knows how to make; 0 where
    that is better (no loss and no penalty is negative).

    Where no strength holds a coefficient, see ``projection`` for what is counted for the residual of rounding.
    """
    y, loss, penalty = objective.data.y, objective.loss, objective.penalty
    if loss.name != "softmax":
        low, high = (torch.as_tensor(v, dtype=torch.float64, device=dual.device) for v in loss.dual_bounds(y))
        dual = torch.minimum(torch.maximum(dual, low), high)
    if penalty.l2 == 0 and penalty.l1 == 0:
        if dual.ndim == 1:
            dual, slack = without_penalty(objective, dual, weights)
            return max(conjugate_sum(objective, dual) - slack, 0.0)
        dual = balanced(objective, dual) if objective.intercept else dual
        return max(conjugate_sum(objective, dual) - _rounding(objective, weights, dual), 0.0)
    if objective.intercept:
        dual = balanced(objective, dual)
    v = -objective.data.design.adjoint(objective.weighted(dual))
    if penalty.l2 == 0:
        size = v if penalty.positive else v.abs()
        worst = float((size / penalty.l1_strengths(v)).max())
        if worst > 1:
            dual, v = dual / worst, v / worst
    slack = 0.0
    if objective.intercept:
        slack = 2 * float((objective.weighted(dual).sum(0).abs() * weights.intercept.abs()).sum())
    conjugate = penalty.conjugate(v * (1 - 4 * EPS) if penalty.l2 == 0 else v)
    return max(conjugate_sum(objective, dual) - conjugate - slack, 0.0)


def _rounding(objective: Objective, weights: Weights, dual: Tensor) -> float:
    """What X'(sθ), for K outputs without a strength, takes off the dual objective: inf unless it is rounding."""
    weighted = objective.weighted(dual)
    v = objective.data.design.adjoint(weighted)
    v = v.clamp(max=0) if objective.penalty.positive else v
    size = objective.column_norms * math.sqrt(objective.mean(dual.square().sum(1)))
    if bool((v.abs() > 1e-12 * size[:, None]).any()):
        return math.inf
    slack = float((v.abs() * weights.coef.abs()).sum())
    if objective.intercept:
        slack += float((weighted.sum(0).abs() * weights.intercept.abs()).sum())
    return 2 * slack


def column_norms(objective: Objective) -> Tensor:
    """sqrt(Σ_i s_i x_ij²) of each column, (p,)."""
    return objective.column_norms


def conjugate_sum(objective: Objective, dual: Tensor) -> float:
    """Σ s_i (θ_i offset_i - loss*(θ_i))."""
    total = -objective.mean(objective.loss.conjugate(dual, objective.data.y))
    offset = objective.data.offset
    if offset is not None:
        total += objective.mean(dual * offset if dual.ndim == 1 else (dual * offset[:, None]).sum(1))
    return total


def balanced(objective: Objective, dual: Tensor) -> Tensor:
    """θ with Σ sθ = 0 for each output, inside the domain: the heavier sign is scaled down (every domain here is an
    interval around zero); for softmax the probabilities are mixed with one row that makes up for the imbalance."""
    if objective.loss.name != "softmax":
        if objective.loss.quadratic:
            return dual - objective.weighted(dual).sum(0)
        weighted = objective.weighted(dual)
        up, down = weighted.clamp(min=0).sum(0), -weighted.clamp(max=0).sum(0)
        least = torch.minimum(up, down)
        return torch.where(
            dual > 0, dual * (least / up.clamp(min=1e-300)), dual * (least / down.clamp(min=1e-300))
        )
    y = objective.data.y[:, None]
    p = dual.scatter_add(1, y, torch.ones_like(dual[:, :1]))
    have = objective.weighted(p).sum(0)
    want = objective.weighted(torch.zeros_like(p).scatter_(1, y, 1.0)).sum(0)
    share = float((1 - want / have.clamp(min=1e-300)).clamp(min=0).max())
    if share == 0:
        return dual
    share = min(1.0, share * (1 + 1e-12) + 4 * EPS)
    mixed = (1 - share) * p + ((want - (1 - share) * have) / share).clamp(min=0)
    return mixed.scatter_add(1, y, torch.full_like(mixed[:, :1], -1.0))
