"""One proximal Newton step: the loss's second-order model plus the exact penalty, minimised on signed supports.

    w⁺ = argmin_u  g'(u - w) + ½ (u - w)'H(u - w) + Σ λ_j |u_j|,  then backtracking on the objective along u - w
    (Lee, Sun & Saunders 2014, "Proximal Newton-type methods", algorithm 1)

H is the exact curvature of the loss in the coefficients that are not zero or want to leave zero, the others stay at
zero in this step.  Once the signs are right the steps are Newton's own: convergence is quadratic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sightline.bounds import EPS
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.hessians import LARGEST, Entries, hessian_of, normal_equations
from sightline.solvers.l1_quadratic import DenseHessian, L1Quadratic

ENOUGH = 0.01  # a model that is not the loss itself is minimised until a step gives less than this share of all before
SEARCHES = 30  # halvings of a step, at most
NEAR = 0.9  # share of the L1 strength from which on a gradient makes a zero coefficient a candidate


@dataclass
class Curvature:
    """How the model's curvature is made, and what of it can be kept from step to step.

    width : change of the scores over which the curvature is averaged, inf for a majorant.  Losses made of pieces have
        regions without curvature, and a step leads across their borders; as steps shrink so does the width.
    damping : share of the majorant that is added: less after whole steps, more after short ones.
    gram : [X, 1]' diag(s) [X, 1] of a squared loss, formed once.
    """

    width: float = 0.0
    damping: float = 0.0
    gram: Tensor | None = field(default=None, repr=False)

    def rows(self, objective: Objective, now: Evaluation) -> Tensor:
        """Second derivative in the scores, its average or a majorant of it, the shape of the scores."""
        loss, z, y, width = objective.loss, now.scores, objective.data.y, self.width
        if width == math.inf:
            return majorant(objective, now)
        if width <= 1e-8 * float(z.abs().max()):
            exact = loss.curvature(z, y)
        else:
            exact = (loss.gradient(z + width, y) - loss.gradient(z - width, y)) / (2 * width)
        return exact + self.damping * majorant(objective, now) if self.damping else exact

    def after(self, objective: Objective, change: Tensor, share: float) -> None:
        """Adapt to a step that was to change the scores by ``change`` and of which a share was taken."""
        if not in_pieces(objective):
            return
        self.width = math.sqrt(objective.mean(change.square()))
        if share == 1:
            self.damping = 0.1 * self.damping if self.damping > 1e-4 else 0.0
        elif share < 0.5:
            self.damping = min(max(10 * self.damping, 1e-3), 1.0)

    def reset(self, objective: Objective) -> bool:
        """Back to the majorant, which cannot overshoot; False where it is in use already or was never."""
        if not in_pieces(objective) or self.width == math.inf:
            return False
        self.width, self.damping = math.inf, 1.0
        return True


def in_pieces(objective: Objective) -> bool:
    """The curvature jumps: nothing bounds how it changes, and it is zero somewhere."""
    return objective.loss.self_concordance is None and not objective.loss.quadratic


def majorant(objective: Objective, now: Evaluation) -> Tensor:
    """A curvature whose quadratic lies above the loss: l'(z)/(z - y) for losses of the residual (Huber 1981, section
    7.8), the curvature's bound where there is one, else the curvature itself."""
    y, z, loss = objective.data.y, now.scores, objective.loss
    if loss.targets == "real" and z.ndim == 1:
        residual = z - y
        return torch.where(residual == 0, 1.0, now.dual / torch.where(residual == 0, 1.0, residual))
    if math.isfinite(loss.curvature_bound):
        return torch.full_like(z, loss.curvature_bound)
    return loss.curvature(z, y)


@dataclass(frozen=True)
class Move:
    """Where a step led: weights, scores and, where it came with them, the gradient.

    share : of the step that was taken.  last : the promised decrease is below the rounding of the value.
    """

    weights: Weights
    scores: Tensor
    share: float
    last: bool
    now: Evaluation | None = None


def newton_move(
    objective: Objective, weights: Weights, now: Evaluation, curvature: Curvature, evaluate: bool = False
) -> Move | None:
    """One proximal Newton step from ``weights``, or None where no step descends.

    With ``evaluate`` the scores come with the gradient, in one read of X.
    """
    move = _try(objective, weights, now, curvature, evaluate)
    if move is None and curvature.reset(objective):
        move = _try(objective, weights, now, curvature, evaluate)
    return move


def _try(
    objective: Objective, weights: Weights, now: Evaluation, curvature: Curvature, evaluate: bool
) -> Move | None:
    target = _model_minimiser(objective, weights, now, curvature)
    if not bool(torch.isfinite(target.flat()).all()):
        return None
    step = Weights(target.coef - weights.coef, target.intercept - weights.intercept)
    l1 = objective.penalty.l1_strengths(weights.coef)
    # Summed coefficient by coefficient: the two parts all but cancel near the optimum.
    change = now.gradient.coef * step.coef + l1 * (target.coef.abs() - weights.coef.abs())
    promised = float(change.sum()) + float((now.gradient.intercept * step.intercept).sum())
    floor = 8 * EPS * abs(now.value)
    last = abs(promised) <= floor
    if promised > floor:
        return None
    share, trial, end = 1.0, target, now.scores
    while share > 1e-10:
        after = objective.evaluate(trial) if evaluate else None
        scores = objective.scores(trial) if after is None else after.scores
        value = objective.value(trial, scores) if after is None else after.value
        if value <= now.value + 0.1 * share * promised + floor:
            curvature.after(objective, (scores if share == 1 else end) - now.scores, share)
            return Move(trial, scores, share, last, after)
        if last:
            return None
        if share == 1:
            end = scores
            share = _best_share(objective, weights, step, now.scores, end)
        else:
            share *= 0.5
        trial = Weights(weights.coef + share * step.coef, weights.intercept + share * step.intercept)
    return None


def _best_share(objective: Objective, weights: Weights, step: Weights, begin: Tensor, end: Tensor) -> float:
    """Where between the scores ``begin`` and ``end`` of a step the objective is least, by bisection on its slope."""
    y, loss, penalty = objective.data.y, objective.loss, objective.penalty
    along = torch.nan_to_num(end - begin, posinf=1e300, neginf=-1e300)
    low, high = 0.0, 1.0
    for _ in range(SEARCHES):
        share = 0.5 * (low + high) if low else 0.25 * high
        coef = weights.coef + share * step.coef
        dual = loss.gradient(begin + share * along, y) * along
        slope = objective.mean(dual if dual.ndim == 1 else dual.sum(1))
        slope += float((penalty.smooth_gradient(coef) * step.coef).sum())
        slope += float((penalty.l1_strengths(coef) * torch.sign(coef) * step.coef).sum())
        low, high = (share, high) if slope < 0 else (low, share)
        if low and high - low < 0.1 * low:
            break
    return low or high


def _model_minimiser(objective: Objective, weights: Weights, now: Evaluation, curvature: Curvature) -> Weights:
    """Where the model is least.  The targets of a squared loss are problems of their own with one Gram matrix."""
    penalty, quadratic = objective.penalty, objective.loss.quadratic
    if quadratic and curvature.gram is None and objective.p <= LARGEST:
        curvature.gram, _ = normal_equations(objective, now.dual)
    table, pull = _table(weights.coef), -_table(now.loss_gradient)
    gradient = Weights(_table(now.gradient.coef), now.gradient.intercept.reshape(-1))
    strengths = torch.ones_like(table) * penalty.l1_strengths(table)
    ridge = torch.ones_like(table) * penalty.l2_strengths(table)
    candidates = (table != 0) | (penalty.subgradient_distance(table, -pull) > 0)
    if penalty.l1:
        candidates |= (pull if penalty.positive else pull.abs()) > NEAR * strengths
    rows = curvature.rows(objective, now)
    every = list(range(table.shape[1]))
    coef, intercept = torch.zeros_like(table), weights.intercept.reshape(-1).clone()
    for outputs in [[k] for k in every] if quadratic else [every]:
        entries = Entries.chosen(candidates, outputs, objective.intercept)
        hessian = hessian_of(objective, rows, entries, entries.gather(ridge), curvature.gram)
        model = L1Quadratic(hessian, entries.gather(strengths), entries.free, penalty.positive)
        enough = 0.0 if quadratic and isinstance(hessian, DenseHessian) else ENOUGH
        w, g = entries.gather(table, intercept), entries.gather(gradient.coef, gradient.intercept)
        entries.scatter(model.minimise(w, g, enough), coef, intercept)
    return Weights(coef.reshape(weights.coef.shape), intercept.reshape(weights.intercept.shape))


def _table(t: Tensor) -> Tensor:
    """(p, K) of coefficients, K = 1 for one output."""
    return t if t.ndim == 2 else t[:, None]
