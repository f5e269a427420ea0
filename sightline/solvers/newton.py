"""Newton's method with a Cholesky factor of the exact Hessian, for smooth losses and few columns.

The step is damped by backtracking until the decrement is small, then full; convergence is quadratic and independent
of the scaling of the columns (Boyd & Vandenberghe 2004, section 9.5).  The Hessian's factor gives the
self-concordance bound for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, smooth_gap
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers import small
from sightline.solvers.base import Solver, Step
from sightline.solvers.factor import checked_cholesky, cholesky
from sightline.solvers.small import MOST_STEPS

SHORTEST = 1e-3  # a line search that comes down to this is left for a damped step


@dataclass(frozen=True)
class Newton(Solver):
    """Damped Newton steps.  ``armijo``: share of the promised decrease that a step must give."""

    name = "newton"
    armijo: float = 1e-4

    def refuses(self, objective: Objective) -> str | None:
        if not objective.loss.smooth:
            return f"needs a smooth loss; the {objective.loss} loss has kinks"
        if not objective.penalty.smooth:
            return "needs a smooth penalty: none or L2"
        return None

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """Newton iterates; ends when the decrement is at the rounding level."""
        if small.applies(objective):
            yield from small.small_steps(objective, start, self.armijo)
            return
        weights, now = start, objective.evaluate(start)
        last = math.inf
        for _ in range(MOST_STEPS):
            hessian = objective.hessian(now)
            factor, sound = checked_cholesky(hessian)
            gradient = now.gradient.flat()
            direction = -torch.cholesky_solve(gradient[:, None], factor)[:, 0]
            slope = float(torch.dot(gradient, direction))
            norm = float(gradient.norm())
            # A bound costs a pass: only where it may be small, or where strong convexity gives it for nothing.
            near = -slope <= 1e-3 * max(abs(now.value), EPS * objective.null_value)
            bound = smooth_gap(objective, weights, now, factor if sound else None) if near else NO_BOUND
            yield Step(weights, now.value, norm, bound)
            if slope >= 0 or -slope <= EPS**2 * abs(now.value):
                return
            floor = 16 * EPS * abs(now.value)
            if -slope < floor and -slope > 0.25 * last:
                return
            last = -slope
            share = 1.0
            flat = weights.flat()
            while True:
                trial = weights.unflat(flat + share * direction)
                after = objective.evaluate(trial)
                if after.value <= now.value + self.armijo * share * slope + floor:
                    break
                share *= 0.5 if math.isfinite(after.value) else 0.1
                if share < SHORTEST:
                    found = self._damped(objective, hessian, flat, weights, now, floor)
                    if found is None:
                        return
                    trial, after = found
                    break
            weights, now = trial, after

    def _damped(
        self, objective: Objective, hessian: Tensor, flat: Tensor, weights: Weights, now: Evaluation, floor: float
    ) -> tuple[Weights, Evaluation] | None:
        """A Levenberg step, for places so far out that the loss is all but linear in some direction and its Hessian
        singular: the least damping that lets the value fall as much as the slope promises."""
        gradient = now.gradient.flat()
        unit = float(hessian.diagonal().max())
        best = None
        for power in range(-9, 6):
            damped = hessian + torch.diag(torch.full_like(gradient, unit * 10.0**power))
            direction = -torch.cholesky_solve(gradient[:, None], cholesky(damped))[:, 0]
            slope = float(torch.dot(gradient, direction))
            trial = weights.unflat(flat + direction)
            after = objective.evaluate(trial)
            if after.value <= now.value + self.armijo * slope + floor and (best is None or after.value < best[1].value):
                best = trial, after
            elif best is not None:
                break
        return best if best is not None and best[1].value < now.value else None
