"""One proximal Newton step: the loss's second-order model plus the exact penalty, minimised on signed supports.

    w⁺ = argmin_u  g'(u - w) + ½ (u - w)'H(u - w) + Σ λ_j |u_j|,  then backtracking on the objective along u - w
    (Lee, Sun & Saunders 2014, "Proximal Newton-type methods", algorithm 1)

H is the exact curvature of the loss in the coefficients that are not zero or want to leave zero, the others stay at
zero in this step.  Once the signs are right the steps are Newton's own: convergence is quadratic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sightline.bounds import EPS
from sightline.design_matrix import DenseDesign, Design
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.l1_quadratic import L1Quadratic

BLOCK_ELEMENTS = 1 << 20  # of the (rows, coefficients) pieces from which a softmax Hessian is summed
ENOUGH = 0.01  # a model that is not the loss itself is minimised until a step gives less than this share of all before
SHORT = 2000  # columns of up to so many rows are gathered one by one, longer ones row by row
GATHERED = 0.8  # beyond this share of all columns a Gram matrix of all costs less than a copy of some
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
    penalty = objective.penalty
    free = 1 if objective.intercept else 0
    distance = penalty.subgradient_distance(weights.coef, now.loss_gradient)
    candidates = (weights.coef != 0) | (distance > 0)
    if penalty.l1:
        eager = -now.loss_gradient if penalty.positive else now.loss_gradient.abs()
        candidates |= eager > NEAR * penalty.l1_strengths(weights.coef)
    strengths = torch.ones_like(weights.coef) * penalty.l1_strengths(weights.coef)
    ridge = torch.ones_like(weights.coef) * penalty.l2_strengths(weights.coef)

    enough = 0.0 if objective.loss.quadratic else ENOUGH

    def solve(hessian: Tensor, w: Tensor, g: Tensor, l1: Tensor, l2: Tensor, intercepts: int) -> Tensor:
        size = len(w) - intercepts
        hessian.diagonal()[:size].add_(l2)
        is_free = np.zeros(len(w), dtype=bool)
        is_free[size:] = True
        bound = np.concatenate([l1.cpu().numpy(), np.zeros(intercepts)])
        quadratic = L1Quadratic(hessian.cpu().numpy(), bound, is_free, penalty.positive)
        return torch.from_numpy(quadratic.minimise(w.cpu().numpy(), g.cpu().numpy(), enough)).to(w.device)

    coef, intercept = torch.zeros_like(weights.coef), weights.intercept.clone()
    if weights.coef.ndim == 1:
        index = candidates.nonzero()[:, 0]
        hessian = _one_output(objective, now, curvature, index)
        w = torch.cat([weights.coef[index], weights.intercept.reshape(1)[:free]])
        g = torch.cat([now.gradient.coef[index], now.gradient.intercept.reshape(1)[:free]])
        u = solve(hessian, w, g, strengths[index], ridge[index], free)
        coef[index] = u[: len(index)]
        return Weights(coef, u[-1] if free else intercept)
    if objective.loss.quadratic:
        for k in range(weights.coef.shape[1]):
            index = candidates[:, k].nonzero()[:, 0]
            hessian = _one_output(objective, now, curvature, index)
            w = torch.cat([weights.coef[index, k], weights.intercept[k : k + free]])
            g = torch.cat([now.gradient.coef[index, k], now.gradient.intercept[k : k + free]])
            u = solve(hessian, w, g, strengths[index, k], ridge[index, k], free)
            coef[index, k] = u[: len(index)]
            if free:
                intercept[k] = u[-1]
        return Weights(coef, intercept)
    chosen = [candidates[:, k].nonzero()[:, 0] for k in range(weights.coef.shape[1])]
    hessian = _softmax(objective, now, curvature, chosen)

    def gather(table: Tensor) -> Tensor:
        return torch.cat([table[index, k] for k, index in enumerate(chosen)])

    w, g = gather(weights.coef), gather(now.gradient.coef)
    if free:
        w, g = torch.cat([w, weights.intercept]), torch.cat([g, now.gradient.intercept])
    u = solve(hessian, w, g, gather(strengths), gather(ridge), len(weights.intercept) if free else 0)
    start = 0
    for k, index in enumerate(chosen):
        coef[index, k] = u[start : start + len(index)]
        start += len(index)
    return Weights(coef, u[start:] if free else intercept)


def columns(design: Design, index: Tensor) -> Design:
    """The chosen columns; all of them without a copy."""
    if len(index) == design.p:
        return design
    if not isinstance(design, DenseDesign):
        return design.columns(index)
    if design.n <= SHORT:
        return DenseDesign(design.X.T.index_select(0, index).T)
    if design.device.type == "cpu":
        return DenseDesign(torch.from_numpy(np.take(design.X.numpy(), index.numpy(), axis=1)))
    return DenseDesign(design.X.index_select(1, index))


def _one_output(objective: Objective, now: Evaluation, curvature: Curvature, index: Tensor) -> Tensor:
    """Hessian of the loss in the chosen coefficients and, last, the intercept where it may move."""
    if objective.loss.quadratic:
        if curvature.gram is None:
            curvature.gram, _ = normal_equations(objective, now.dual)
        return _submatrix(objective, curvature.gram, index)
    design, rows = objective.data.design, curvature.rows(objective, now)
    if len(index) > GATHERED * objective.p:
        return _submatrix(objective, _gram(objective, design, rows), index)
    return _gram(objective, columns(design, index), rows)


def _submatrix(objective: Objective, gram: Tensor, index: Tensor) -> Tensor:
    """The chosen rows and columns, with the intercept's where there is one."""
    chosen = torch.cat([index, index.new_tensor([objective.p])]) if objective.intercept else index
    return gram[chosen[:, None], chosen]


def _gram(objective: Objective, design: Design, d: Tensor) -> Tensor:
    """[X, 1]' diag(s d) [X, 1], without the ones where there is no intercept."""
    d = objective.weighted(d)
    gram = design.gram(d)
    return _bordered(gram, design.adjoint(d), d.sum()) if objective.intercept else gram


def _bordered(gram: Tensor, cross: Tensor, corner: Tensor) -> Tensor:
    return torch.cat([torch.cat([gram, cross[:, None]], 1), torch.cat([cross, corner.reshape(1)])[None]])


def normal_equations(objective: Objective, dual: Tensor) -> tuple[Tensor, Tensor]:
    """[X, 1]' diag(s) [X, 1] (without the ones where there is no intercept) and X'(s dual), in one read of X."""
    p, weight = objective.p, objective.data.weight
    gram = torch.zeros((p, p), dtype=torch.float64, device=dual.device)
    cross, adjoint = gram.new_zeros(p), gram.new_zeros((p, *dual.shape[1:]))
    s = objective.weighted(torch.ones(objective.n, dtype=torch.float64, device=dual.device))
    weighted = objective.weighted(dual)
    for rows, block in objective.data.design.blocks():
        gram += block.gram(None if weight is None else s[rows])
        adjoint += block.adjoint(weighted[rows])
        if objective.intercept:
            cross += block.adjoint(s[rows])
    if weight is None:
        gram /= objective.n
    return (_bordered(gram, cross, s.sum()) if objective.intercept else gram), adjoint


def _softmax(objective: Objective, now: Evaluation, curvature: Curvature, chosen: list[Tensor]) -> Tensor:
    """Hessian of the softmax loss, class after class, the intercepts last.

    X_j' diag(s p_j) X_j in the blocks of one class, less Σ_i s_i v_i v_i' over all, v_i = p_ij x_i class by class
    (Böhning 1992, section 2).
    """
    probability = objective.loss.curvature(now.scores, objective.data.y)
    k = probability.shape[1]
    sizes = [len(index) for index in chosen]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    total = int(starts[-1])
    size = total + (k if objective.intercept else 0)
    hessian = np.zeros((size, size))
    weight = objective.weighted(torch.ones_like(probability[:, 0]))
    union = torch.unique(torch.cat(chosen)) if total else torch.zeros(0, dtype=torch.int64)
    places = [torch.searchsorted(union, index).cpu().numpy() for index in chosen]
    design = columns(objective.data.design, union) if total else None
    step = max(64, BLOCK_ELEMENTS // max(size, 1))
    for begin in range(0, objective.n, step):
        rows = slice(begin, begin + step)
        X = None if design is None else design.rows(rows).to_dense().cpu().numpy()
        s, p = weight[rows].cpu().numpy(), probability[rows].cpu().numpy()
        root = np.sqrt(s)
        v = np.empty((len(s), size))
        for j in range(k):
            part = slice(starts[j], starts[j + 1])
            if X is not None:
                columns_j = X[:, places[j]]
                half = columns_j * (root * np.sqrt(p[:, j]))[:, None]
                hessian[part, part] += half.T @ half
                v[:, part] = columns_j * (root * p[:, j])[:, None]
            if objective.intercept:
                v[:, total + j] = root * p[:, j]
                hessian[total + j, total + j] += s @ p[:, j]
                if X is not None:
                    cross = (s * p[:, j]) @ columns_j
                    hessian[part, total + j] += cross
                    hessian[total + j, part] += cross
        hessian -= v.T @ v
    if objective.intercept:
        # All intercepts may be shifted together; this keeps the step from doing so and changes nothing else.
        hessian[total:, total:] += hessian[total:, total:].diagonal().mean() / k
    return torch.from_numpy(hessian)
