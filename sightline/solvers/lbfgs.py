"""Preconditioned L-BFGS with an exact search along each line, for smooth losses with many columns or classes.

The scores are affine in the step, z + t X d, so a line is searched in the scores alone: X is read once for X d and
once for the gradient, whatever the number of trial steps.

Preconditioner: where a (p + 1)² matrix is affordable, the Gram matrix [X,1]'[X,1] weighted with the curvature at the
start and shared by all classes (with the bound ½ in place of the curvature: Böhning 1992, "Multinomial logistic
regression algorithm"); else the diagonal of the Hessian.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, Bound, strong_convexity_gap
from sightline.design_matrix import SparseDesign
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.base import Solver, Step
from sightline.solvers.factor import cholesky
from sightline.solvers.quasi_newton import InverseHessian, Preconditioner
from sightline.solvers.rows import sampled

SAMPLED_ELEMENTS = 2_000_000  # least rows · columns for a start from a sample
GRAM_COLUMNS = 4000  # most columns for which a Gram matrix is formed


@dataclass(frozen=True)
class LBFGS(Solver):
    """L-BFGS.

    memory : steps remembered.  gram_rows : most rows the Gram matrix is computed from.
    share : rows over the rows of the sample that gives the start.  sample_steps : most steps on it.
    """

    name = "lbfgs"
    memory: int = 20
    gram_rows: int = 8192
    share: int = 8
    sample_steps: int = 40

    def refuses(self, objective: Objective) -> str | None:
        if not objective.loss.smooth:
            return f"needs a smooth loss; the {objective.loss} loss has kinks"
        if not objective.penalty.smooth:
            return "needs a smooth penalty: none or L2"
        return None

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """One step a line search; ends where rounding hides any further decrease."""
        weights = start if bool(start.coef.any()) else self._sample_start(objective, start)
        # Float32 data are worked on in float32 until the bound is small; what proves it is in float64.
        single = objective.data.design.dtype == torch.float32
        now = objective.evaluate(weights, single=single)
        inverse = InverseHessian(self.preconditioner(objective, weights, now), self.memory)
        stalled = 0
        while True:
            bound = self._bound(objective, weights, now)
            if single and (bound.gap <= 1e-6 * abs(now.value) or stalled):
                single, stalled = False, 0
                weights = weights.rounded()
                now = objective.evaluate(weights)
                bound = self._bound(objective, weights, now)
            gradient = now.gradient.flat()
            yield Step(weights, now.value, float(gradient.norm()), NO_BOUND if single else bound)
            direction = -inverse.times(gradient)
            slope = float(torch.dot(gradient, direction))
            if not slope < 0:
                return
            along = weights.unflat(direction)
            if not objective.intercept:
                along = Weights(along.coef, torch.zeros_like(along.intercept))
            change = self._change(objective, along)
            share = line_search(objective, weights, now, along, change, slope)
            # Scores are carried along; near the end they are computed afresh, so that no proof rests on carried ones.
            carried = single or not bound.gap <= 1e-3 * abs(now.value)
            trial, after = self._moved(objective, weights, now, along, change, share, carried)
            if after.value > now.value + 1e-3 * abs(slope):  # a derivative near zero beyond the minimum
                share *= 0.25
                trial, after = self._moved(objective, weights, now, along, change, share, carried)
            inverse.update(share * along.flat(), after.gradient.flat() - gradient)
            stalled = stalled + 1 if now.value - after.value <= 4 * EPS * abs(now.value) else 0
            weights, now = trial, after
            if stalled >= 5:
                return

    @staticmethod
    def _moved(
        objective: Objective, weights: Weights, now: Evaluation, along: Weights, change: Tensor, share: float,
        carried: bool,
    ) -> tuple[Weights, Evaluation]:
        """The weights after a step, and the objective there: from carried scores, or by a pass of its own."""
        trial = weights.unflat(weights.flat() + share * along.flat())
        if not carried and objective.data.design.dtype == torch.float32:
            trial = trial.rounded()
        if carried:
            return trial, objective.evaluate_scores(trial, now.scores.to(change.dtype).add(change, alpha=share))
        return trial, objective.evaluate(trial)

    @staticmethod
    def _change(objective: Objective, along: Weights) -> Tensor:
        """X d + d_b, in the dtype of X: how the scores move."""
        dtype = torch.float64 if objective.data.design.sparse else objective.data.design.dtype
        return objective.data.design.scores(along.coef.to(dtype)) + along.intercept.to(dtype)

    def preconditioner(self, objective: Objective, weights: Weights, now: Evaluation) -> Preconditioner:
        """Inverse of a positive definite matrix near the Hessian, as a function of a flat vector."""
        size, k = objective.p + 1, objective.outputs or 1
        ridge = objective.ridge
        curvature = shared_curvature(objective, now.scores)
        if size <= GRAM_COLUMNS and size <= 4 * objective.n and not objective.data.design.sparse:
            gram = self._gram(objective, weights, curvature)
            gram.diagonal().add_(ridge)
            gram.diagonal().add_(1e-9 * gram.diagonal().mean())
            factor = cholesky(gram)
            return lambda v: torch.cholesky_solve(v.reshape(k, size).T, factor).T.reshape(-1)
        diagonal = torch.cat([squared_sums(objective, curvature), objective.weighted(curvature).sum().reshape(1)])
        diagonal = diagonal + ridge
        diagonal = diagonal.clamp(min=1e-3 * float(diagonal.mean()) if objective.penalty.l2 == 0 else 1e-300)
        if not objective.intercept:
            diagonal[-1] = 1.0
        return lambda v: (v.reshape(k, size) / diagonal).reshape(-1)

    def _sample_start(self, objective: Objective, start: Weights) -> Weights:
        """Nearly the optimum of a sample of the rows, where rows are many: it costs a few passes and saves tens."""
        rows = max(objective.n // self.share, 8 * objective.p)
        if objective.n * objective.p < SAMPLED_ELEMENTS or objective.data.design.sparse or rows > objective.n // 4:
            return start
        last, weights = math.inf, start
        for number, step in enumerate(self.steps(sampled(objective, rows), start)):
            weights = step.weights
            # Beyond this the sample's optimum is farther from that of all rows than from here.
            if number == self.sample_steps or last - step.value <= 3e-5 * abs(step.value):
                break
            last = step.value
        return weights

    def _gram(self, objective: Objective, weights: Weights, curvature: Tensor) -> Tensor:
        """[X, 1]' diag(s curvature) [X, 1], of a sample where rows are many."""
        if objective.n <= 2 * self.gram_rows:
            return objective.curvature_gram(curvature)
        part = sampled(objective, self.gram_rows)
        return part.curvature_gram(shared_curvature(part, part.scores(weights)))

    def _bound(self, objective: Objective, weights: Weights, now: Evaluation) -> Bound:
        """Strong convexity's bound; an estimate only where ``now`` was computed in float32."""
        if objective.penalty.l2 == 0:
            return NO_BOUND
        if objective.intercept:
            # Moving the intercept to its best costs half a pass: only where the coefficients' part is small already.
            g = now.gradient.coef
            part = 0.5 * float((g.square() / objective.penalty.l2_strengths(g)).sum())
            if part > 1e-2 * abs(now.value):
                return Bound(math.inf, "none")
        return strong_convexity_gap(objective, weights, now)


def shared_curvature(objective: Objective, scores: Tensor) -> Tensor:
    """One curvature a row, (n,): the mean over the outputs where there are several."""
    curvature = objective.loss.curvature(scores.double(), objective.data.y)
    if curvature.ndim == 1:
        return curvature
    return curvature[:, 0] if objective.loss.quadratic else (curvature * (1 - curvature)).mean(1)


def squared_sums(objective: Objective, curvature: Tensor) -> Tensor:
    """Diagonal of X' diag(s d) X, (p,)."""
    d = objective.weighted(curvature)
    design = objective.data.design
    if isinstance(design, SparseDesign):
        return torch.from_numpy(design.X.power(2).astype("float64").T @ d.numpy())
    total = torch.zeros(design.p, dtype=torch.float64, device=d.device)
    d = d.to(design.dtype)
    for rows, block in design.blocks(single=True):
        total += d[rows] @ block.X.square()
    return total


def line_search(
    objective: Objective, weights: Weights, now: Evaluation, along: Weights, change: Tensor, slope: float
) -> float:
    """A step t near the minimum of F(w + t d), by safeguarded secant steps on the derivative, scores only.

    ``change`` = X d + d_b; ``slope`` = derivative at t = 0, negative.
    """
    y, penalty = objective.data.y, objective.penalty
    y = y if y.dtype == torch.int64 else y.to(change.dtype)
    scores = now.scores.to(change.dtype)
    flat_w, flat_d = weights.coef, along.coef
    strengths = penalty.l2_strengths(flat_w) if penalty.l2 else 0.0
    quadratic = float((strengths * flat_d.square()).sum()) if penalty.l2 else 0.0
    linear = float((strengths * flat_w * flat_d).sum()) if penalty.l2 else 0.0

    def derivative(t: float) -> float:
        dual = objective.loss.gradient(scores.add(change, alpha=t), y)
        rows = dual * change
        return objective.mean(rows if rows.ndim == 1 else rows.sum(1)) + linear + t * quadratic

    low, high, t = 0.0, math.inf, 1.0
    low_slope = slope
    for _ in range(20):
        at = derivative(t)
        if abs(at) <= 0.3 * abs(slope):
            return t
        if not math.isfinite(at):
            high, t = t, low + 0.1 * (t - low)
        elif at > 0:
            high = t
            guess = low - low_slope * (t - low) / (at - low_slope)
            t = min(max(guess, low + 0.1 * (t - low)), low + 0.9 * (t - low))
        else:
            guess = t + (-at) * (t - low) / (at - low_slope) if at > low_slope else math.inf
            low, low_slope = t, at
            room = high - low
            t = min(guess, 4 * t) if math.isinf(high) else min(max(guess, low + 0.1 * room), low + 0.9 * room)
    return low if low > 0 else t
