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
from sightline.solvers.base import Solver, Step
from sightline.solvers.newton import Newton, cholesky
from sightline.solvers.quasi_newton import InverseHessian


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
        now = objective.evaluate(weights, keep_rows=False)
        inverse = InverseHessian(sample.solve)
        for _ in range(self.patience):
            gradient = now.gradient.flat()
            direction = -inverse.times(gradient)
            slope = float(torch.dot(gradient, direction))
            yield Step(weights, now.value, float(gradient.norm()), self._bound(objective, sample, weights, now))
            if slope > -4 * EPS * EPS * abs(now.value):
                break
            moved = self._line_search(objective, weights, now, direction, slope)
            if moved is None:
                break
            trial, after = moved
            inverse.update(trial.flat() - weights.flat(), after.gradient.flat() - gradient)
            weights, now = trial, after
        yield from Newton().steps(objective, weights)

    def _line_search(
        self, objective: Objective, weights: Weights, now: Evaluation, direction: Tensor, slope: float
    ) -> tuple[Weights, Evaluation] | None:
        """The first of 1, 1/2, 1/4, ... that decreases the value enough."""
        flat, share, floor = weights.flat(), 1.0, 16 * EPS * abs(now.value)
        while share > 1e-6:
            trial = weights.unflat(flat + share * direction)
            after = objective.evaluate(trial, keep_rows=False)
            if after.value <= now.value + 1e-4 * share * slope + floor:
                return trial, after
            share *= 0.5
        return None

    def _start(self, objective: Objective, start: Weights) -> tuple[Sample, Weights]:
        rows = self.sample_rows(objective)
        weights = start
        sizes = [rows]
        while sizes[-1] > 16 * 8 * (objective.p + 1):
            sizes.append(sizes[-1] // 8)
        if bool(start.coef.any()):
            sizes = [rows]
        for m in reversed(sizes):
            part = sampled(objective, m)
            # A sample's optimum is off by its sampling error; nearer than a tenth of it is work for nothing.
            enough = 0.05 * (objective.p + 1) / m
            weights, evaluation, hessian = sample_newton(part, weights, enough)
        return Sample(objective, part, weights, evaluation, hessian), weights

    def _bound(self, objective: Objective, sample: Sample, weights: Weights, now: Evaluation) -> Bound:
        best = NO_BOUND
        if objective.penalty.l2 > 0 and not objective.intercept:
            best = strong_convexity_gap(objective, weights, now)
        if objective.loss.self_concordance:
            gap = sample.gap(weights, now)
            if gap < best.gap:
                best = Bound(gap, "self-concordance on a sample of the rows")
        return best


def sampled(objective: Objective, m: int) -> Objective:
    """The objective on m rows, one from each of m equal stretches, the same at every call."""
    n = objective.n
    device = objective.data.design.device
    generator = torch.Generator().manual_seed(m)
    place = (torch.arange(m) + torch.rand(m, generator=generator, dtype=torch.float64)) * (n / m)
    index = place.long().clamp(max=n - 1).to(device)
    data = objective.data
    part = replace(
        data,
        design=data.design.rows(index),
        y=data.y[index],
        weight=None if data.weight is None else data.weight[index],
        offset=None if data.offset is None else data.offset[index],
    )
    return replace(objective, data=part)


def sample_newton(objective: Objective, weights: Weights, enough: float) -> tuple[Weights, Evaluation, Tensor]:
    """Newton steps until half the squared decrement is below ``enough``; weights, evaluation and Hessian there."""
    now = objective.evaluate(weights)
    for _ in range(20):
        hessian = objective.hessian(now)
        gradient = now.gradient.flat()
        direction = -torch.cholesky_solve(gradient[:, None], cholesky(hessian))[:, 0]
        slope = float(torch.dot(gradient, direction))
        if -slope <= 2 * enough:
            break
        share = 1.0
        while share > 1e-4:
            trial = weights.unflat(weights.flat() + share * direction)
            after = objective.evaluate(trial)
            if after.value <= now.value + 1e-4 * share * slope:
                break
            share *= 0.5
        if share <= 1e-4 or -slope < 1e-2:
            # The last step is taken with a Hessian that is as good as the next would be.
            weights, now = trial, after
            break
        weights, now = trial, after
    return weights, now, hessian


class Sample:
    """A sample's Hessian as preconditioner and as proof."""

    def __init__(
        self, whole: Objective, part: Objective, weights: Weights, evaluation: Evaluation, hessian: Tensor
    ) -> None:
        self.factor = cholesky(hessian)
        self.part, self.whole = part, whole
        self.weights, self.evaluation, self.hessian = weights, evaluation, hessian
        self.radius: float | None = None
        self.share_factor: Tensor | None = None

    def solve(self, v: Tensor) -> Tensor:
        """Inverse Hessian of the sample · v."""
        return torch.cholesky_solve(v[:, None], self.factor)[:, 0]

    def _prepare(self) -> float:
        """Cholesky factor of A and the largest row norm in its inverse."""
        whole, part = self.whole, self.part
        if self.share_factor is None:
            at = part.hessian(part.evaluate(self.weights))
            p = whole.p
            l2 = torch.as_tensor(whole.penalty.l2_strengths(torch.ones(p, dtype=torch.float64)))
            ridge = torch.cat([l2.expand(p), l2.new_zeros(1)]).to(at.device)
            # ``at`` weighs the sample's rows by 1/m or by weights that sum to one in the sample.
            if part.data.weight is None or whole.data.weight is None:
                share = part.n / whole.n
            else:
                share = float(part.data.weight.sum() / whole.data.weight.sum())
            at = (at - torch.diag(ridge)) * share + torch.diag(ridge)
            if not whole.intercept:
                at[p, p] = 1.0
            self.share_factor = cholesky(at)
            self.radius = math.sqrt(max_row_norm_squared(part, self.share_factor))
        assert self.radius is not None
        return self.radius

    def gap(self, weights: Weights, now: Evaluation) -> float:
        """Self-concordance bound with A in place of the Hessian."""
        constant = self.whole.loss.self_concordance
        assert constant is not None
        radius = self._prepare() * constant
        assert self.share_factor is not None
        moved = self.part.scores(weights) - self.part.scores(self.weights)
        drift = constant * float(moved.abs().max())
        if drift > 3:
            return math.inf
        g = now.gradient.flat()
        decrement = float(torch.linalg.solve_triangular(self.share_factor, g[:, None], upper=False).norm())
        # H(w) >= exp(-drift) A: decrement and row norms grow by exp(drift / 2).
        stretch = math.exp(drift / 2)
        return self_concordant(decrement * stretch, radius * stretch)
