"""One run of the interior-point method on some rows and columns of a problem, seen from the whole of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from sightline.bounds import EPS, NO_BOUND, duality_gap, relative_scale
from sightline.objective import Objective, Weights
from sightline.solvers.base import Step
from sightline.solvers.crossover import vertex
from sightline.solvers.interior_point import Path, follow
from sightline.solvers.kinks import Kinks, flat, unflat

EARLY, LATE = 1e-2, 1e-5  # relative gaps at which the vertex is first looked for; early on small curved problems
SMALL = 50_000  # elements of a small problem
STALLED = 0.98  # an interior-point step that leaves more of the complementarity than this is a failure


class Stage:
    """The interior-point method on a part of a problem; its steps are those of the whole.

    rows : indices of the free rows, None for all; fixed : θ of the others (zero at free rows).
    columns : indices of the coefficients that may differ from zero, None for all.
    After ``steps``: good (there are weights and residual), done (they are optimal for the free rows and columns),
    crossed (fixed rows that changed sides).
    """

    def __init__(
        self, objective: Objective, problem: Kinks, part: Kinks, rows: Tensor | None, fixed: Tensor | None, at: Path,
        columns: Tensor | None = None,
    ) -> None:
        self.objective, self.problem, self.part = objective, problem, part
        self.rows, self.fixed, self.at = rows, fixed, at
        self.good = self.done = rows is None
        self.crossed, self.crossed_rows = 0, torch.zeros(0, dtype=torch.int64)
        self.weights, self.residual = at.weights, at.residual[: part.n]
        self.columns, self.last = columns, at
        self.until = 0.0  # complementarity, relative to the objective, at which to stop

    def steps(self) -> Iterator[Step]:
        """Steps of the whole problem; rows crossing sides end the round."""
        last, tried, slow = math.inf, math.inf, 0
        least = relative_scale(self.objective, 0.0)
        shown = True
        at = self.at
        curved = self.part.soft > 0 or bool((self.part.ridge > 0).any())
        early = EARLY if curved and self.part.n * self.part.p <= SMALL else LATE
        for at in follow(self.part, self.at):
            self.last = at
            inner = value_of(self.part, at.weights, at.residual[: self.part.n])
            size = max(abs(inner), least)
            slow = slow + 1 if at.complementarity > STALLED * last else 0
            if slow > 4 and (self.rows is not None or at.complementarity < 1e-6 * size or slow > 20):
                break
            last = at.complementarity
            if last <= self.until * size:
                return
            shown = at.complementarity <= (max(early, 1e-3) if self.rows is None else LATE) * size or inner <= 0
            if not shown:
                if self.rows is None:
                    yield Step(weights_of(self.problem, self._all(at.weights)), inner, norm_of(at))
                continue
            step = self._step(at.weights, at.theta[: self.part.n], norm_of(at))
            yield step
            lost = step.value - inner if self.rows is not None else 0.0
            if self.crossed and lost > at.complementarity:
                return
            relative = step.bound.gap / size
            if relative <= early and relative < 0.01 * tried:
                tried = relative
                polished = self._polished(at)
                if polished is not None and polished.bound.gap < step.bound.gap:
                    yield polished
                    if polished.bound.gap <= 64 * EPS * size:
                        self.done = True
                        return
            if at.complementarity <= 1e-10 * size:
                self.done = True
            if at.complementarity <= EPS * size:
                return
        if not shown and self.rows is None:
            yield self._step(at.weights, at.theta[: self.part.n], norm_of(at))
            polished = self._polished(at)
            if polished is not None:
                yield polished

    def _all(self, vector: Tensor) -> Tensor:
        """Weights with zeros for the coefficients left out."""
        if self.columns is None:
            return vector
        whole = torch.zeros_like(self.problem.linear)
        whole[self.columns], whole[-1] = vector[:-1], vector[-1]
        return whole

    def _polished(self, at: Path) -> Step | None:
        end = vertex(self.part, at)
        return None if end is None else self._step(*end, norm_of(at))

    def _step(self, vector: Tensor, theta: Tensor, norm: float) -> Step:
        """The step at weights (p + 1,) with θ of the free rows."""
        problem, objective = self.problem, self.objective
        weights = weights_of(problem, self._all(vector))
        residual = problem.apply(flat(weights))[: problem.n] - problem.kink
        value = objective.mean(problem.loss(residual)) + objective.penalty.value(weights.coef)
        if self.rows is not None:
            assert self.fixed is not None
            whole = self.fixed.clone()
            whole[self.rows] = theta
            theta = whole
            outside = torch.where(self.fixed == 0, 0.0, torch.where(residual > 0, problem.high, problem.low))
            across = (outside - self.fixed) * residual > 0
            across[self.rows] = False
            self.crossed_rows = across.nonzero()[:, 0]
            self.crossed = len(self.crossed_rows)
        self.good = True
        self.weights, self.residual = flat(weights), residual
        bound = duality_gap(objective, weights, value, theta) if math.isfinite(value) else NO_BOUND
        return Step(weights, value, norm, bound)


def weights_of(problem: Kinks, vector: Tensor) -> Weights:
    """Weights with the sign constraint met."""
    weights = unflat(vector)
    return Weights(weights.coef.clamp(min=0), weights.intercept) if problem.positive else weights


def norm_of(at: Path) -> float:
    """Length of the dual residual."""
    return math.inf if at.dual_residual is None else float(at.dual_residual.norm())


def value_of(problem: Kinks, weights: Tensor, residual: Tensor) -> float:
    """Objective of a problem with kinks (its linear part included)."""
    coef = weights[:-1]
    total = torch.dot(problem.share, problem.loss(residual)) + torch.dot(problem.linear, weights)
    total = total + 0.5 * (problem.ridge * coef.square()).sum()
    if problem.slope is not None:
        total = total + (problem.slope * coef.abs()).sum()
    return float(total)
