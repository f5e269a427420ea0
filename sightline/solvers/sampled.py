"""Newton's method from a sample, for many more rows than columns.

A Newton fit of a few nested samples gives a start and a Hessian that are as good as the sample is large; the full
data are then read once for each quasi-Newton step, three to five times in all.  (Compare Byrd, Chin, Neveitt &
Nocedal 2011, "On the use of stochastic Hessian information in optimization methods for machine learning".)

The sample gives a proof as well.  Every row's loss is convex, so the whole Hessian is at least the sample's share of
it, A = Σ_{i in S} s_i l''_i x_i x_i' + Λ; and along any line from w the second derivative falls no faster than
exp(-max_{i in S} |change of score|).  The self-concordance bound (``bounds``) therefore holds with A in place of H and
the sample's rows in place of all rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, Bound, max_row_norm_squared, self_concordant, strong_convexity_gap
from sightline.objective import Evaluation, Objective, Weights
from sightline.penalties import L2
from sightline.solvers.base import Solver, Step
from sightline.solvers.factor import checked_cholesky, cholesky
from sightline.solvers.newton import Newton
from sightline.solvers.quasi_newton import InverseHessian
from sightline.solvers.rows import sampled


@dataclass(frozen=True)
class SampledNewton(Solver):
    """Nested samples, then preconditioned quasi-Newton steps on all rows.

    share : rows over sample rows.  rows_per_column : least sample rows for each column.
    patience : full passes after which exact Newton steps take over.
    """

    name = "sampled-newton"
    share: int = 64
    rows_per_column: int = 40
    patience: int = 30

    def refuses(self, objective: Objective) -> str | None:
        if not (objective.loss.smooth and objective.penalty.smooth):
            return "needs a smooth loss and a smooth penalty"
        if objective.outputs is not None or objective.data.design.sparse:
            return "needs a dense design matrix and one output"
        if self.sample_rows(objective) > objective.n // 4:
            return "needs many more rows than columns"
        return None

    def sample_rows(self, objective: Objective) -> int:
        """Rows of the largest sample."""
        return max(objective.n // self.share, self.rows_per_column * (objective.p + 1))

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """One step a full pass over the data."""
        sample, weights = self._start(objective, start)
        # Passes over float32 data are made in float32 until the bound is small; then in float64, which proves it.
        single = objective.data.design.dtype == torch.float32
        if single:
            weights = rounded(weights)
        now = objective.evaluate(weights, keep_rows=False, single=single)
        inverse = InverseHessian(sample.solve)
        for _ in range(self.patience):
            bound = self._bound(objective, sample, weights, now)
            if single and bound.gap <= 1e-5 * abs(now.value):
                now = objective.evaluate(weights, keep_rows=False)
                bound = self._bound(objective, sample, weights, now)
            elif single:
                bound = NO_BOUND
            gradient = now.gradient.flat()
            direction = -inverse.times(gradient)
            slope = float(torch.dot(gradient, direction))
            yield Step(weights, now.value, float(gradient.norm()), bound)
            if slope > -4 * EPS * EPS * abs(now.value):
                break
            moved = self._line_search(objective, weights, now, direction, slope, single)
            if moved is None:
                break
            trial, after = moved
            inverse.update(trial.flat() - weights.flat(), after.gradient.flat() - gradient)
            weights, now = trial, after
        yield from Newton().steps(objective, weights)

    def _line_search(
        self, objective: Objective, weights: Weights, now: Evaluation, direction: Tensor, slope: float, single: bool
    ) -> tuple[Weights, Evaluation] | None:
        """The first of 1, 1/2, 1/4, ... that decreases the value enough."""
        flat, share = weights.flat(), 1.0
        floor = (1e-6 if single else 16 * EPS) * abs(now.value)
        while share > 1e-6:
            trial = weights.unflat(flat + share * direction)
            if single:
                trial = rounded(trial)
            after = objective.evaluate(trial, keep_rows=False, single=single)
            if after.value <= now.value + 1e-4 * share * slope + floor:
                return trial, after
            share *= 0.5
        return None

    def _start(self, objective: Objective, start: Weights) -> tuple[Sample, Weights]:
        rows = self.sample_rows(objective)
        weights = start
        sizes = [rows]
        while sizes[-1] > 4 * 8 * (objective.p + 1):
            sizes.append(sizes[-1] // 4)
        if bool(start.coef.any()):
            sizes = [rows]
        for m in reversed(sizes):
            part = sampled(objective, m)
            # A sample's optimum is off by its sampling error; nearer than a tenth of it is work for nothing.
            enough = 0.05 * (objective.p + 1) / m
            # A few rows may be separable where all are not: half an observation more for each coefficient keeps the
            # sample's optimum near.
            held = replace(part, penalty=L2(1 / m)) if objective.penalty.none else part
            weights, anchor, hessian = sample_newton(held, weights, enough)
        ridge = torch.zeros_like(hessian.diagonal())
        ridge[: objective.p] = 1 / m if objective.penalty.none else 0.0
        return Sample(objective, part, anchor, hessian - torch.diag(ridge), cholesky(hessian)), weights

    def _bound(self, objective: Objective, sample: Sample, weights: Weights, now: Evaluation) -> Bound:
        best = NO_BOUND
        if objective.penalty.l2 > 0 and not objective.intercept:
            best = strong_convexity_gap(objective, weights, now)
        if objective.loss.self_concordance:
            gap = sample.gap(weights, now)
            if gap < best.gap:
                best = Bound(gap, "self-concordance on a sample of the rows")
        return best


def rounded(weights: Weights) -> Weights:
    """Weights that float32 holds exactly, so that what is proven of them is proven of the delivered ones."""
    return Weights(weights.coef.float().double(), weights.intercept.float().double())


def sample_newton(objective: Objective, weights: Weights, enough: float) -> tuple[Weights, Weights, Tensor]:
    """Newton steps until half the squared decrement is below ``enough``.

    Returns the weights reached, and the last weights at which the Hessian was computed, with it.
    """
    now = objective.evaluate(weights)
    for _ in range(20):
        anchor, hessian = weights, objective.hessian(now)
        gradient = now.gradient.flat()
        direction = -torch.cholesky_solve(gradient[:, None], cholesky(hessian))[:, 0]
        slope = float(torch.dot(gradient, direction))
        share, flat = 1.0, weights.flat()
        if -slope <= 2 * enough:
            break
        if -slope < 1e-2 * abs(now.value):
            # So near, the full step is safe, and the Hessian there would hardly differ.
            return weights.unflat(flat + direction), anchor, hessian
        while share > 1e-4:
            trial = weights.unflat(flat + share * direction)
            after = objective.evaluate(trial)
            if after.value <= now.value + 1e-4 * share * slope:
                break
            share *= 0.5
        else:
            break
        weights, now = trial, after
    return weights, anchor, hessian


class Sample:
    """A sample's Hessian, computed at the weights ``anchor``, as preconditioner and as proof."""

    def __init__(
        self, whole: Objective, part: Objective, anchor: Weights, hessian: Tensor, factor: Tensor
    ) -> None:
        self.whole, self.part, self.anchor, self.hessian, self.factor = whole, part, anchor, hessian, factor
        self.share_factor: Tensor | None = None
        self.radius = math.inf

    def solve(self, v: Tensor) -> Tensor:
        """Inverse Hessian of the sample · v."""
        return torch.cholesky_solve(v[:, None], self.factor)[:, 0]

    def _prepare(self) -> Tensor:
        """Cholesky factor of A; sets the largest row norm in A's inverse."""
        if self.share_factor is None:
            whole, part = self.whole, self.part
            ridge = whole.ridge
            # The sample's Hessian weighs its rows by weights that sum to one in the sample.
            share = part.data.total_weight / whole.data.total_weight
            shared = (self.hessian - torch.diag(ridge)) * share + torch.diag(ridge)
            if not whole.intercept:
                shared[-1, -1] = 1.0
            self.share_factor, sound = checked_cholesky(shared)
            self.radius = math.sqrt(max_row_norm_squared(part, self.share_factor)) if sound else math.inf
        return self.share_factor

    def gap(self, weights: Weights, now: Evaluation) -> float:
        """Self-concordance bound with A in place of the Hessian."""
        constant = self.whole.loss.self_concordance
        assert constant is not None
        moved = self.part.data.design.scores(weights.coef - self.anchor.coef)
        drift = constant * float((moved + (weights.intercept - self.anchor.intercept)).abs().max())
        if drift > 3:
            return math.inf
        factor = self._prepare()
        if not math.isfinite(self.radius):
            return math.inf
        half = torch.linalg.solve_triangular(factor, now.gradient.flat()[:, None], upper=False)
        # H(w) >= exp(-drift) A: decrement and row norms grow by exp(drift / 2).
        stretch = math.exp(drift / 2)
        return self_concordant(float(half.norm()) * stretch, constant * self.radius * stretch)
