"""One fit in progress: stopping, trace, best so far, and the certificate of what is delivered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from sightline.bounds import EPS, duality_gap, relative_scale, strong_convexity_gap
from sightline.certificate import Certificate, Verdict, Witness
from sightline.objective import Objective, Weights
from sightline.rounding import accurate_scores, largest_terms
from sightline.separability import Falling
from sightline.solvers.base import Solver, Step
from sightline.trace import Trace
from sightline.working import Working, standardised, without_null_space

POLISH_ELEMENTS = 1_000_000  # problems up to this size (rows · weights) take ...
POLISH_STEPS = 2  # ... so many steps beyond the tolerance, one where there is a penalty: full precision, as a rule
EXISTENCE_STEPS = 12  # steps without a proof after which a loss that may lack a minimum is examined for one


@dataclass(frozen=True)
class Solution:
    """What the driver gives: weights in the user's units and dtype, certificate, trace, and how it was done."""

    weights: Weights
    certificate: Certificate
    trace: Trace
    solver: str
    n_iter: int


class Run:
    """One fit in progress: stopping, trace, best so far, interruption."""

    def __init__(
        self, objective: Objective, tol: float, max_iter: int | None, time_limit: float | None,
        callback: Callable[[int, Step], bool | None] | None, existence: bool,
    ) -> None:
        self.user = objective
        self.working = Working(objective)
        self.tol, self.max_iter, self.time_limit, self.callback = tol, max_iter, time_limit, callback
        self.trace = Trace()
        self.begun = time.perf_counter()
        self.best: Step | None = None
        self.lower, self.method = 0.0, "no loss is negative"
        self.rank: int | None = None
        self.stopped = ""
        self.falling: Falling | None = None
        # With both labels there and a penalty on every coefficient, a binary loss has its minimum.
        y = objective.data.y
        held = objective.loss.targets == "binary" and objective.penalty.l1 + objective.penalty.l2 > 0
        held = held and float(y.min()) < 0 < float(y.max())
        self.may_lack = existence and not (objective.loss.attains_minimum or held)
        self.solver = ""

    def prepare(self) -> None:
        """Working coordinates; dependent columns out where nothing else makes the solution unique."""
        self.working = standardised(self.user)
        if self.user.penalty.none and not self.user.loss.quadratic:
            self.working, self.rank = without_null_space(self.working)

    def go(self, solver: Solver, start: Weights | None) -> None:
        """Step the solver until the proof is there, or it ends, or is stopped."""
        objective = self.working.objective
        begin = objective.zeros() if start is None else self.working.to_working(start)
        if objective.loss.name == "softmax" and objective.penalty.smooth:
            # The same scores up to a shift, at no higher penalty: the gauge in which the Hessian is regular.
            begin = Weights(begin.coef - begin.coef.mean(1, keepdim=True), begin.intercept - begin.intercept.mean())
        self.solver = solver.name
        weights_total = begin.coef.numel()
        polish = 0
        if objective.n * weights_total <= POLISH_ELEMENTS:
            polish = POLISH_STEPS if objective.penalty.none else 1
        proven = False
        for number, step in enumerate(solver.steps(objective, begin)):
            self._record(number, step)
            self.rank = step.rank if step.rank is not None else self.rank
            if self._proven(step):
                proven = True
                if polish == 0 or step.bound.gap == 0:
                    return
                polish -= 1
            elif proven:
                return
            if self.callback is not None and self.callback(number, step):
                self.stopped = "interrupted"
                return
            if not proven and self.may_lack and number == EXISTENCE_STEPS and self._has_no_minimum():
                return
            if self.max_iter is not None and number >= self.max_iter:
                self.stopped = f"max_iter={self.max_iter}"
                return
            if self.time_limit is not None and time.perf_counter() - self.begun > self.time_limit:
                self.stopped = f"time_limit={self.time_limit:g} s"
                return
        if not proven and self.may_lack:
            self._has_no_minimum()

    def _record(self, number: int, step: Step) -> None:
        seconds = time.perf_counter() - self.begun
        self.trace.append(step.value, step.bound.gap, step.gradient_norm, seconds, step.weights)
        lower = step.value - step.bound.gap
        if lower > self.lower:
            self.lower, self.method = lower, step.bound.method
        if self.best is None or _better(step, self.best):
            self.best = step

    def _proven(self, step: Step) -> bool:
        gap = step.bound.gap
        return math.isfinite(gap) and gap <= self.tol * relative_scale(self.working.objective, step.value)

    def _has_no_minimum(self) -> bool:
        from sightline.separability import falling_direction

        last = [w for _, w in self._user_trace().weights[-2:]]
        steps = [Weights(last[1].coef - last[0].coef, last[1].intercept - last[0].intercept)] if len(last) == 2 else []
        self.falling = falling_direction(self.user, [*steps, *last[-1:]])
        return self.falling is not None

    def without_minimum(self, solver: str | Solver, start: Weights | None) -> Solution:
        """Fit of the rows that overlap, moved along the direction in which the others fall."""
        from sightline.driver import solve
        from sightline.limit import solution_without_minimum

        assert self.falling is not None
        begin = start if self.best is None else self._delivered(self.best.weights)
        left = None if self.time_limit is None else max(0.0, self.time_limit - (time.perf_counter() - self.begun))
        rest = partial(
            solve, solver=solver, tol=self.tol, max_iter=self.max_iter, time_limit=left, callback=self.callback,
            existence=False,
        )
        return solution_without_minimum(self.user, self.falling, begin, rest, self._user_trace(), self.begun, self.tol)

    def _delivered(self, weights: Weights) -> Weights:
        """Working weights in the user's units and the data's dtype; softmax intercepts add up to zero."""
        user = self.working.to_user(weights)
        if self.user.loss.name == "softmax":
            user = Weights(user.coef, user.intercept - user.intercept.mean())
        dtype = self.user.data.design.dtype
        if dtype == torch.float64:
            return user
        return Weights(user.coef.to(dtype).double(), user.intercept.to(dtype).double())

    def _refined(self, best: Step) -> tuple[Weights, float | None]:
        """The best weights as delivered, to the last digit where that costs little, and the digits proven."""
        user = self._delivered(best.weights)
        if not self.user.penalty.none or self.user.loss.quadratic or self.stopped or self.falling is not None:
            return user, best.digits
        from sightline.refine import refinable, refine

        if self.rank in (None, self.user.p) and refinable(self.user) and self._proven(best):
            return refine(self.user, user)
        return user, best.digits

    def _value(self, user: Weights) -> tuple[float, float]:
        """The objective at weights in the user's units, and what rounding may have changed of it."""
        objective = self.working.objective
        scores = objective.scores(self.working.to_working(user))
        error = EPS * self.working.coordinates.size(user)
        dual = objective.loss.gradient(scores, objective.data.y).abs()
        bend = min(objective.loss.curvature_bound, 1.0)
        rounded = error * (objective.mean(dual if dual.ndim == 1 else dual.sum(1)) + bend * error)
        return objective.value(self.working.to_working(user), scores), rounded

    def _cancels(self, user: Weights) -> bool:
        """The terms of the scores are so large that rounding them shows in the value."""
        design = self.user.data.design
        if design.sparse or design.n * user.coef.numel() > POLISH_ELEMENTS:
            return False
        return EPS * largest_terms(self.user, user) > 1e-3 * self.tol

    def _user_trace(self) -> Trace:
        return replace(self.trace, to_user=self.working.coordinates.to_user)

    def finish(self, reason: str) -> Solution:
        """Certificate of the weights as they are delivered: in the user's units and dtype."""
        objective = self.working.objective
        best = self.best
        if best is None:
            zeros = objective.zeros()
            best = Step(zeros, objective.value(zeros), float("inf"))
        if self.stopped and not math.isfinite(best.bound.gap):
            best = self._with_bound(best)
        user, digits = self._refined(best)
        dtype = self.user.data.design.dtype
        value, gap = best.value, best.bound.gap
        coordinates = self.working.coordinates
        # Scales are powers of two: what they do to the coefficients changes no score.
        exact = coordinates.shift is None and coordinates.basis is None
        known = math.isfinite(best.bound.gap)  # a value without a bound may have been computed in float32
        if not (known and exact and torch.equal(coordinates.to_working(user).coef, best.weights.coef)):
            value, rounded = self._value(user)
            gap = best.bound.gap + max(0.0, value - best.value) + rounded
            self.lower -= rounded
        elif self._cancels(user):
            value = self.user.value(user, accurate_scores(self.user, user))
            gap = best.bound.gap + max(0.0, value - best.value)
        method = best.bound.method
        if value - self.lower < gap:
            gap, method = max(value - self.lower, 0.0) + 4 * EPS * abs(value), self.method
        if self.falling is not None:
            gap, method = min(gap, value), "no loss is negative"
        scale = relative_scale(objective, value, dtype)
        certificate = Certificate(
            self._verdict(gap, scale), value, gap, scale, self.tol, method, digits, self._witness()
        )
        by = f"; stopped by {self.stopped}" if self.stopped not in ("", "interrupted") else ""
        by = "; interrupted" if self.stopped == "interrupted" != reason else by
        text = f"{self.solver}: {reason}{by}"
        return Solution(user, certificate, self._user_trace(), text, max(len(self.trace) - 1, 0))

    def _with_bound(self, step: Step) -> Step:
        """The step with the bound that one more evaluation gives, for a fit that was stopped before it had one."""
        objective = self.working.objective
        now = objective.evaluate(step.weights)
        if objective.loss.smooth and objective.penalty.smooth and objective.penalty.l2 > 0:
            bound = strong_convexity_gap(objective, step.weights, now)
        else:
            bound = duality_gap(objective, step.weights, now.value, now.dual)
        return replace(step, value=now.value, bound=bound)

    def _verdict(self, gap: float, scale: float) -> Verdict:
        if self.falling is not None:
            return Verdict.NO_MINIMUM
        if gap <= self.tol * scale:
            deficient = self.rank is not None and self.rank < self.user.p
            return Verdict.NOT_UNIQUE if deficient else Verdict.OPTIMAL
        return Verdict.INTERRUPTED if self.stopped == "interrupted" else Verdict.INACCURATE

    def _witness(self) -> Witness | None:
        if self.falling is not None:
            return self.falling.witness
        if self.rank is None or self.rank >= self.user.p:
            return None
        text = (
            f"The {self.user.p} columns span {self.rank} dimensions"
            + (" beside the intercept" if self.user.intercept else "")
            + ": some are combinations of others, or constant. The smallest coefficients were chosen."
        )
        return Witness("null space", text, rank=self.rank, columns=self.user.p)


def _better(step: Step, best: Step) -> bool:
    """Whether a step is to be kept in place of the best so far: a lower value, or at the same value a smaller bound.
    A value without a bound is trusted to six digits only: it may have been computed in float32."""
    if math.isfinite(step.bound.gap) == math.isfinite(best.bound.gap):
        slack = 4 * EPS * abs(best.value)
        return step.value < best.value - slack or (
            step.value <= best.value + slack and step.bound.gap <= best.bound.gap
        )
    slack = 1e-6 * abs(best.value)
    return step.value < best.value + (slack if math.isfinite(step.bound.gap) else -slack)
