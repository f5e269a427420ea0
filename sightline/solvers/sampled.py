"""Newton's method from a sample, for many more rows than columns.

A fit of a few nested samples gives a start and a Hessian that are as good as the sample is large; the full data are
then read once for each quasi-Newton step, two to five times in all.  (Compare Byrd, Chin, Neveitt & Nocedal 2011, "On
the use of stochastic Hessian information in optimization methods for machine learning".)  The sample gives the proof
as well: see ``sample``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, Bound, strong_convexity_gap
from sightline.objective import Evaluation, Objective, Weights
from sightline.penalties import L2
from sightline.solvers.base import Solver, Step
from sightline.solvers.factor import cholesky
from sightline.solvers.newton import Newton
from sightline.solvers.quasi_newton import InverseHessian
from sightline.solvers.rows import sampled
from sightline.solvers.sample import FINE, Sample


@dataclass(frozen=True)
class SampledNewton(Solver):
    """Nested samples, then preconditioned quasi-Newton steps on all rows.

    share : rows over sample rows, as long as the sample's Gram matrix costs no more than half a pass over all rows.
    rows_per_column : least sample rows for each column.
    patience : full passes after which exact Newton steps take over.
    """

    name = "sampled-newton"
    share: int = 8
    rows_per_column: int = 40
    patience: int = 30

    def refuses(self, objective: Objective) -> str | None:
        if not (objective.loss.smooth and objective.penalty.smooth):
            return "needs a smooth loss and a smooth penalty"
        if objective.outputs is not None or objective.data.design.sparse:
            return "needs a dense design matrix and one output"
        if self.rows_per_column * (objective.p + 1) > objective.n // 4:
            return "needs many more rows than columns"
        return None

    def sample_rows(self, objective: Objective) -> int:
        """Rows of the largest sample."""
        n, p = objective.n, objective.p
        return max(min(n // self.share, 8 * n // p), self.rows_per_column * (p + 1))

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """One step a full pass over the data."""
        sample, weights = self._start(objective, start)
        # Passes over float32 data are made in float32 until the gap should be small; then in float64, which proves it.
        single = objective.data.design.dtype == torch.float32
        kept = Weights.rounded if single else None
        weights = weights.rounded() if single else weights
        now = objective.evaluate(weights, keep_rows=False, single=single)
        inverse = InverseHessian(sample.solve)
        # What a step leaves of the gap: at first a guess by the sample's error, then what the last step left.
        left, last = 2 * (objective.p + 1) / sample.part.n, None
        for _ in range(self.patience):
            bound = NO_BOUND if single else self._bound(objective, sample, weights, now)
            gradient = now.gradient.flat()
            direction = -inverse.times(gradient)
            slope = float(torch.dot(gradient, direction))
            yield Step(weights, now.value, float(gradient.norm()), bound)
            if slope > -4 * EPS * EPS * abs(now.value):
                break
            left = left if last is None else slope / last
            last = slope
            # A pass in float64 that proves nothing costs little beside one more that does.
            single = single and -slope * left / sample.at.share > 3 * FINE * abs(now.value)
            floor = (1e-6 if kept else 16 * EPS) * abs(now.value)
            found = lowered(objective, weights, now, direction, slope, floor, kept, keep_rows=False, single=single)
            if found is None:
                break
            inverse.update(found[0].flat() - weights.flat(), found[1].gradient.flat() - gradient)
            weights, now = found
        yield from Newton().steps(objective, weights)

    def _start(self, objective: Objective, start: Weights) -> tuple[Sample, Weights]:
        """A sample, and weights near its optimum."""
        rows = self.sample_rows(objective)
        weights = start
        sizes = [rows]
        while sizes[-1] > 32 * (objective.p + 1):
            sizes.append(max(sizes[-1] // 16, 10 * (objective.p + 1)))
        if bool(start.coef.any()):
            sizes = [rows]
        factor = None
        for m in reversed(sizes):
            part = sampled(objective, m, single=True)
            # A sample's optimum is off by its sampling error; nearer than a tenth of it is work for nothing.
            enough = 0.05 * (objective.p + 1) / m
            # A few rows may be separable where all are not: half an observation more for each coefficient keeps the
            # sample's optimum near.
            held = replace(part, penalty=L2(1 / m)) if objective.penalty.none else part
            if m == rows and factor is not None:
                weights, now = sample_quasi_newton(held, weights, enough, factor)
            else:
                weights, now, factor = sample_newton(held, weights, enough)
        return Sample(objective, part, weights, now.scores), weights

    def _bound(self, objective: Objective, sample: Sample, weights: Weights, now: Evaluation) -> Bound:
        best = NO_BOUND
        if objective.penalty.l2 > 0 and not objective.intercept:
            best = strong_convexity_gap(objective, weights, now)
        gap = sample.gap(weights, now)
        if gap < best.gap:
            kind = "self-concordance" if objective.loss.self_concordance else "curvature"
            best = Bound(gap, f"{kind} on a sample of the rows")
        return best


def sample_newton(objective: Objective, weights: Weights, enough: float) -> tuple[Weights, Evaluation, Tensor]:
    """Newton steps until half the squared decrement is below ``enough``.

    Returns the weights reached, the objective there, and the factor of the last Hessian computed.
    """
    now = objective.evaluate(weights, single=True)
    for _ in range(20):
        factor = cholesky(objective.hessian(now, single=True))
        gradient = now.gradient.flat()
        direction = -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
        slope = float(torch.dot(gradient, direction))
        found = None if -slope <= 2 * enough else lowered(objective, weights, now, direction, slope, single=True)
        if found is None:
            break
        weights, now = found
        if -slope < 1e-2 * abs(now.value):
            break  # so near, the Hessian would hardly differ
    return weights, now, factor


def sample_quasi_newton(
    objective: Objective, weights: Weights, enough: float, factor: Tensor
) -> tuple[Weights, Evaluation]:
    """Quasi-Newton steps over a smaller sample's Hessian until half the squared decrement is below ``enough``."""
    now = objective.evaluate(weights, single=True)
    inverse = InverseHessian(lambda v: torch.cholesky_solve(v[:, None], factor)[:, 0])
    for _ in range(20):
        gradient = now.gradient.flat()
        direction = -inverse.times(gradient)
        slope = float(torch.dot(gradient, direction))
        found = None if -slope <= 2 * enough else lowered(objective, weights, now, direction, slope, single=True)
        if found is None:
            break
        inverse.update(found[0].flat() - weights.flat(), found[1].gradient.flat() - gradient)
        weights, now = found
    return weights, now


def lowered(
    objective: Objective, weights: Weights, now: Evaluation, direction: Tensor, slope: float, floor: float = 0.0,
    kept: Callable[[Weights], Weights] | None = None, **how: bool,
) -> tuple[Weights, Evaluation] | None:
    """The weights after the first of the steps 1, 1/2, 1/4, ... that decreases the value enough, and the objective
    there; None if none does.

    floor : what rounding may do to the value.  kept : the weights as they are to be kept.  how : to ``evaluate``.
    """
    flat, share = weights.flat(), 1.0
    while share > 1e-6:
        trial = weights.unflat(flat + share * direction)
        trial = trial if kept is None else kept(trial)
        after = objective.evaluate(trial, **how)
        if after.value <= now.value + 1e-4 * share * slope + floor:
            return trial, after
        share *= 0.5
    return None
