"""L1, elastic net and sign constraints with a smooth loss: working sets, proximal Newton steps, duality gap.

Each round looks at the gradient of all coefficients (one read of X), bounds the gap, takes the support and the columns
nearest to entering as the working set, twice as many as the support, and solves the problem on it to a third of the gap
(Johnson & Guestrin 2015; Massias, Gramfort & Salmon 2018, algorithm 3).  The inner problem is small and dense: proximal
Newton steps with exact second-order models.  Few looks are needed, so columns are not screened besides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import EPS, Bound, best_intercept
from sightline.losses import Huber
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.base import Solver, Step
from sightline.solvers.dual_bound import lower_bound
from sightline.solvers.hessians import columns, normal_equations
from sightline.solvers.proximal_newton import Curvature, in_pieces, newton_move

WHOLE = 128  # up to so many columns all of them are the working set
FAR = 20.0  # median residual over bend from which on wider bends are solved first ...
NARROW = 5.0  # ... each so many times narrower than the last
ROUGH = 0.1  # relative gap to which they are solved
LARGEST_START = 2000  # a start with more coefficients than this is not sparse: from zero the way is shorter


@dataclass(frozen=True)
class Proximal(Solver):
    """Working sets with proximal Newton steps.

    inner : share of the gap to which the problem on the working set is solved before all columns are looked at again.
    first : columns of the first working set, at least.
    """

    name = "proximal"
    inner: float = 0.3
    first: int = 64

    def refuses(self, objective: Objective) -> str | None:
        if not objective.loss.smooth:
            return f"needs a smooth loss; the {objective.loss} loss has kinks"
        factors = objective.penalty.factors
        if factors is not None and not bool((factors > 0).all()):
            return "needs penalty factors > 0"
        return None

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """One step a look at all columns; ends when neither the value nor the bound gets better."""
        centre = centre_of(objective)
        if centre is None:
            yield from self._steps(objective, start)
            return
        centred = replace(objective, data=replace(objective.data, y=objective.data.y - centre))
        for step in self._steps(centred, Weights(start.coef, start.intercept - centre)):
            yield replace(step, weights=Weights(step.weights.coef, step.weights.intercept + centre))

    def _steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        for easier in wider(objective, start):
            for step in _Rounds(self, easier).steps(start):
                start = step.weights
                yield Step(start, objective.value(start), step.gradient_norm)
                if step.bound.gap <= ROUGH * step.value:
                    break
        yield from _Rounds(self, objective).steps(start)


class _Rounds:
    """A run: what is kept from one look at all columns to the next."""

    def __init__(self, settings: Proximal, objective: Objective) -> None:
        self.settings = settings
        self.whole = objective
        self.lower = -math.inf
        self.curvature = Curvature(math.inf, 1.0) if in_pieces(objective) else Curvature()
        self.set: Tensor | None = None  # the columns of ``part``; None where it is the whole problem
        self.part = objective
        self.last = False  # the last step was at the rounding of the value

    def steps(self, start: Weights) -> Iterator[Step]:
        weights = self._begin(start)
        scores = self.whole.scores(weights) if bool(weights.coef.any()) else self._scores_without_columns(weights)
        weights, now = self._first(weights, scores)
        best, value, stalled = math.inf, math.inf, 0
        while True:
            self.lower = max(self.lower, lower_bound(self.whole, weights, now))
            gap = max(now.value - self.lower, 0.0) + 4 * EPS * abs(now.value)
            yield Step(weights, now.value, float(now.gradient.flat().norm()), Bound(gap, "duality gap"))
            fell = value - now.value > min(0.01 * gap, 1e-3 * abs(now.value))
            stalled = 0 if gap < 0.5 * best or fell else stalled + 1
            best, value = min(best, gap), now.value
            if stalled > (1 if self.last else 30):
                return
            found = self._improve(weights, now, gap)
            if found is None:
                return
            weights, now = found

    def _begin(self, start: Weights) -> Weights:
        """The start, with signs that the penalty allows; zero where no solution has so large a support."""
        whole = self.whole
        coef = start.coef.clamp(min=0) if whole.penalty.positive else start.coef
        most = LARGEST_START if whole.penalty.l2 else min(LARGEST_START, whole.n * (whole.outputs or 1))
        if int((coef != 0).sum()) > most:
            coef = torch.zeros_like(coef)
        return Weights(coef, start.intercept)

    def _scores_without_columns(self, weights: Weights) -> Tensor:
        y, k = self.whole.data.y, self.whole.outputs
        zero = torch.zeros(y.shape if k is None else (len(y), k), dtype=torch.float64, device=y.device)
        offset = self.whole.data.offset
        if offset is not None:
            zero = zero + (offset if k is None else offset[:, None])
        return zero + weights.intercept

    def _look(self, weights: Weights, scores: Tensor) -> tuple[Weights, Evaluation]:
        """The whole problem's gradient, with the best intercept first: then the dual point needs no repair for it."""
        weights, scores = level(self.whole, weights, scores)
        return weights, self.whole.evaluate_scores(weights, scores)

    def _first(self, weights: Weights, scores: Tensor) -> tuple[Weights, Evaluation]:
        """``_look``; few columns of a squared loss come with all that its curvature needs."""
        objective = self.whole
        if not (objective.loss.quadratic and objective.p <= WHOLE):
            return self._look(weights, scores)
        weights, scores = level(objective, weights, scores)
        value, dual = objective.loss.value_and_gradient(scores, objective.data.y)
        self.curvature.gram, adjoint = normal_equations(objective, dual)
        penalty, mean = objective.penalty, objective.mean(value)
        b = objective.weighted(dual).sum(0) if objective.intercept else torch.zeros_like(weights.intercept)
        gradient = Weights(adjoint + penalty.smooth_gradient(weights.coef), b)
        return weights, Evaluation(mean + penalty.value(weights.coef), mean, scores, dual, gradient, adjoint)

    def _improve(self, weights: Weights, now: Evaluation, gap: float) -> tuple[Weights, Evaluation] | None:
        """A step of the whole problem, or the solution on a working set; None where it gives nothing."""
        self._choose(weights, now)
        if self.set is None:
            move = newton_move(self.whole, weights, now, self.curvature, self.whole.loss.quadratic)
            if move is None:
                return None
            self.last = move.last
            return self._look(move.weights, move.scores) if move.now is None else (move.weights, move.now)
        return self._solve_part(weights, now, gap, self.set)

    def _solve_part(
        self, weights: Weights, now: Evaluation, gap: float, chosen: Tensor
    ) -> tuple[Weights, Evaluation] | None:
        part = self.part
        inner = Weights(weights.coef[chosen], weights.intercept)
        state = replace(
            now,
            gradient=Weights(now.gradient.coef[chosen], now.gradient.intercept),
            loss_gradient=now.loss_gradient[chosen],
        )
        lower, scores = -math.inf, now.scores
        for number in range(100):
            move = newton_move(part, inner, state, self.curvature)
            if move is None:
                if number == 0:
                    return None
                break
            self.last = move.last
            inner, scores = level(part, move.weights, move.scores)
            state = part.evaluate_scores(inner, scores)
            lower = max(lower, lower_bound(part, inner, state))
            if move.last or state.value - lower <= self.settings.inner * gap:
                break
        coef = torch.zeros_like(weights.coef)
        coef[chosen] = inner.coef
        return self._look(Weights(coef, inner.intercept), scores)

    def _choose(self, weights: Weights, now: Evaluation) -> None:
        """The working set: the support and the columns nearest to entering, twice as many as the support."""
        p = self.whole.p
        support = weights.coef != 0
        if support.ndim == 2:
            support = support.any(1)
        size = max(2 * int(support.sum()), self.settings.first)
        if p <= WHOLE or size >= p // 2:
            self._take(None)
            return
        priority = eagerness(self.whole, now)
        priority[support] = math.inf
        self._take(torch.topk(priority, size).indices.sort().values)

    def _take(self, chosen: Tensor | None) -> None:
        if chosen is None:
            if self.set is not None:
                self.part, self.set, self.curvature.gram = self.whole, None, None
            return
        if self.set is not None and torch.equal(self.set, chosen):
            return
        data = replace(self.whole.data, design=columns(self.whole.data.design, chosen))
        self.part = replace(self.whole, data=data, penalty=self.whole.penalty.columns(chosen))
        self.set, self.curvature.gram = chosen, None


def wider(objective: Objective, start: Weights) -> Iterator[Objective]:
    """Problems on the way to a Huber loss with few residuals inside its bend: wider bends, each a start for the next
    (smoothing and continuation: Madsen & Nielsen 1993)."""
    loss = objective.loss
    if not isinstance(loss, Huber):
        return
    _, scores = level(objective, start, objective.scores(start))
    delta = float((scores - objective.data.y).abs().median())
    while delta > FAR * loss.delta:
        yield replace(objective, loss=Huber(delta))
        delta /= NARROW


def centre_of(objective: Objective) -> Tensor | None:
    """What to take off a real target (() or (K,)): next to a large mean its scores would lose digits."""
    if objective.loss.targets != "real" or not objective.intercept:
        return None
    zeros = objective.zeros()
    y, offset = objective.data.y, objective.data.offset
    start = -y if offset is None else (offset if y.ndim == 1 else offset[:, None]) - y
    aside = replace(objective, data=replace(objective.data, y=torch.zeros_like(y)))
    return level(aside, zeros, start)[0].intercept


def level(objective: Objective, weights: Weights, scores: Tensor) -> tuple[Weights, Tensor]:
    """The same with the intercept at its best."""
    if not objective.intercept:
        return weights, scores
    dual = objective.loss.gradient(scores, objective.data.y)
    nothing = Weights(weights.coef, torch.zeros_like(weights.intercept))
    better = best_intercept(objective, weights, Evaluation(0.0, 0.0, scores, dual, nothing, weights.coef))
    return (weights, scores) if better is None else better


def eagerness(objective: Objective, now: Evaluation) -> Tensor:
    """How near each column is to entering, (p,): gradient towards allowed signs over the strength that holds it."""
    penalty = objective.penalty
    pull = -now.loss_gradient if penalty.positive else now.loss_gradient.abs()
    if penalty.l1:
        pull = pull / penalty.l1_strengths(pull)
    elif penalty.factors is not None:
        pull = pull / (penalty.factors if pull.ndim == 1 else penalty.factors[:, None])
    return pull if pull.ndim == 1 else pull.amax(1)
