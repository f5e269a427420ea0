"""Exact method for hinge, quantile and Huber's loss with any penalty: interior point, sifted rows, crossover.

Few rows: the interior-point method on all of them.  Many rows: most of them end far from their kink, where the loss is
linear, so only rows near it need the method's slacks.  A guess (an interior-point solution of a sample, then Newton
steps with a curvature taken from the rows nearest to the kink) says which rows those are; the others are fixed to the
straight line they are on.  That makes a lower bound of the objective, exact as long as no fixed row changes sides;
rows that did are put back and the method goes on (Portnoy & Koenker 1997, section 5, "preprocessing").
Near the end the face of the solution is read off and solved for directly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import Bound
from sightline.objective import Objective, Weights
from sightline.solvers.base import Solver, Step
from sightline.solvers.interior_point import Path, follow, normal_equations, path_from, wide
from sightline.solvers.kinks import Kinks, as_kinks, flat, mean_size, unflat
from sightline.solvers.newton import Newton
from sightline.solvers.stage import Stage, value_of, weights_of

BANDS = (0.3, 0.1)  # shares of the rows nearest to their kink that give the curvature of each Newton step
CURVATURE_ROWS = 60  # rows a column, of those, that are enough for it
NEWTON_STEPS = 15  # Newton steps for Huber's loss before the interior-point method takes over


@dataclass(frozen=True)
class InteriorPoint(Solver):
    """Primal-dual interior point on the rows that matter, ended at the exact vertex.

    sift_rows : from so many rows on, rows far from their kink are fixed (0 never does it).
    sample, band : rows a column in the sample, and least rows a column kept near the kink.
    largest : largest min(rows, columns); a dense matrix of that size is factorised at each step.
    """

    name = "interior_point"
    sift_rows: int = 6000
    sample: int = 40
    band: int = 30
    largest: int = 6000

    def refuses(self, objective: Objective) -> str | None:
        if objective.loss.name not in ("hinge", "quantile", "huber"):
            return f"is for hinge, quantile and Huber's loss, not the {objective.loss} loss"
        if min(objective.n, objective.p) > self.largest:
            return f"factorises a matrix of the smaller side, {min(objective.n, objective.p)} > {self.largest}"
        return None

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """Interior-point iterates, then the vertex; ends when it is found or rounding allows no more."""
        problem = as_kinks(objective)
        begin = flat(start)
        warm = bool((begin != 0).any())
        if objective.intercept and bool((problem.kink == problem.kink[0]).all()):
            # One and the same target everywhere: met exactly by the intercept alone.
            begin = torch.zeros_like(begin)
            begin[-1] = problem.kink[0]
            yield Step(unflat(begin), 0.0, 0.0, Bound(0.0, "duality gap"))
            return
        few = self.sift_rows == 0 or objective.n < max(self.sift_rows, 2 * self.sample * objective.p)
        if few:
            stage = Stage(objective, problem, problem, None, None, _begin(problem, begin, warm))
            if wide(problem) and problem.slope is not None:
                yield from self._few_columns(stage)
                return
            yield from stage.steps()
            return
        if problem.soft > 0:
            yield from self._smooth(objective, problem, begin, warm)
            return
        weights, residual, value = self._guess(problem, begin, warm)
        yield Step(weights_of(problem, weights), value, math.inf)
        count = min(objective.n, max(self.band * objective.p, 1500, objective.n // 33))
        active = torch.zeros(objective.n, dtype=torch.bool, device=residual.device)
        while True:
            active[residual.abs().topk(count, largest=False, sorted=False).indices] = True
            rows = active.nonzero()[:, 0]
            fixed = torch.where(active, 0.0, torch.where(residual > 0, problem.high, problem.low))
            whole = len(rows) == objective.n
            linear = problem.linear if whole else problem.linear + problem.adjoint(_data_rows(problem, fixed))
            part = problem if whole else problem.select(rows, linear)
            stage = Stage(objective, problem, part, None if whole else rows, fixed, path_from(part, weights))
            yield from stage.steps()
            if whole or (stage.done and not stage.crossed):
                return
            if stage.good:
                weights, residual = stage.weights, stage.residual
                active[stage.crossed_rows] = True
                count = min(objective.n, max(count, 2 * stage.crossed))
            if not stage.crossed:  # the rows left free do not hold the problem: more of them
                count = min(objective.n, 4 * max(count, len(rows)))

    def _few_columns(self, stage: Stage) -> Iterator[Step]:
        """Many columns and an L1 part or sign constraint: all of them until it shows which can differ from zero, then
        those alone, with more where the dual point asks for it."""
        problem, objective = stage.problem, stage.objective
        stage.until = 1e-4
        yield from stage.steps()
        at, chosen = stage.last, torch.zeros(problem.p, dtype=torch.bool, device=problem.share.device)
        weights, theta = at.weights, at.theta[: problem.n]
        assert problem.slope is not None
        for _ in range(20):
            v = -(problem.linear[:-1] + problem.design.adjoint(problem.share * theta) + problem.ridge * weights[:-1])
            ratio = (v if problem.positive else v.abs()) - problem.slope
            ratio = ratio / problem.slope.clamp(min=1e-3 * float(problem.slope.max()) + 1e-300)
            near = (ratio > -0.2) | (weights[:-1].abs() > 1e-2 * weights[:-1].abs().max())
            most = min(problem.p, max(2 * problem.n, 200))
            if int(near.sum()) > most:
                near = torch.zeros_like(near).index_fill_(0, ratio.topk(most).indices, True)
            before = int(chosen.sum())
            chosen |= near
            columns = chosen.nonzero()[:, 0]
            if len(columns) == before:
                break
            part = problem.columns(columns)
            inner = torch.cat([weights[:-1][columns], weights[-1:]])
            stage = Stage(objective, problem, part, None, None, _begin(part, inner, False), columns)
            yield from stage.steps()
            weights, theta = stage.weights, stage.last.theta[: problem.n]

    def _smooth(self, objective: Objective, problem: Kinks, begin: Tensor, warm: bool) -> Iterator[Step]:
        """Huber's loss on many rows: Newton's method from a sample's solution; all rows here where it gets stuck."""
        if objective.penalty.smooth:
            near = begin if warm else self._from_sample(problem)
            for number, step in enumerate(Newton().steps(objective, unflat(near))):
                begin = flat(step.weights)
                yield step
                if number == NEWTON_STEPS:
                    break
            else:
                if step.bound.gap <= 1e-9 * abs(step.value):
                    return
        yield from Stage(objective, problem, problem, None, None, _begin(problem, begin, True)).steps()

    def _guess(self, problem: Kinks, begin: Tensor, warm: bool) -> tuple[Tensor, Tensor, float]:
        """Weights near the optimum, the residuals of all rows and the objective there."""
        weights = begin
        if not warm:
            weights = self._from_sample(problem)
        residual = problem.apply(weights)[: problem.n] - problem.kink
        value = value_of(problem, weights, residual)
        for share in BANDS:
            step = _newton(problem, weights, residual, share)
            if step is None:
                break
            trial = flat(weights_of(problem, weights + step))
            after = problem.apply(trial)[: problem.n] - problem.kink
            better = value_of(problem, trial, after)
            if not better < value:
                break
            weights, residual, value = trial, after, better
        return weights, residual, value

    def _from_sample(self, problem: Kinks) -> Tensor:
        """Rough solution for a sample of the rows, one from each stretch of equal length."""
        count = max(2000, self.sample * problem.p)
        stretch = problem.n // count
        where = torch.arange(count, device=problem.share.device)
        rows = where * stretch + (where * 2654435761 % 4294967296) * stretch // 4294967296
        part = problem.select(rows, problem.linear)
        part = replace(part, share=part.share / part.share.sum())
        weights = torch.zeros_like(problem.linear)
        for at in follow(part, _begin(part, weights, False)):
            weights = at.weights
            if at.complementarity < 0.02 * value_of(part, weights, at.residual[: part.n]):
                break
        return weights


def _data_rows(problem: Kinks, theta: Tensor) -> Tensor:
    """s θ with zeros below for the coefficients' rows."""
    rows = problem.share * theta
    return rows if problem.slope is None else torch.cat([rows, torch.zeros_like(problem.slope)])


def _begin(problem: Kinks, weights: Tensor, warm: bool) -> Path:
    """Where the path starts: at the given weights, or the least-squares fit of the kinks, tilted by the boxes."""
    size = mean_size(problem, problem.apply(weights) - problem.all_rows[1])
    if warm:
        return path_from(problem, weights)
    if problem.n < 2 * problem.p:
        return path_from(problem, weights, 4 * size)
    weak = problem.share
    if problem.soft > 0:
        size = 0.0
    target = weak * (problem.kink - size * (problem.low + problem.high))
    if problem.slope is not None:
        weak = torch.cat([weak, 4 * problem.slope.square() + 1e-3 * problem.coefficient_share])
        target = torch.cat([target, torch.zeros_like(problem.slope)])
    try:
        weights = normal_equations(problem, weak)(problem.adjoint(target))
    except FloatingPointError:
        return path_from(problem, weights, 4 * size)
    near = mean_size(problem, problem.apply(weights) - problem.all_rows[1])
    if problem.soft > 0:
        # Slacks of the size of what lies outside of the quadratic part.
        size = max(near - float(problem.high.max()), 0.2 * min(near, float(problem.high.max())))
        return path_from(problem, weights, size)
    return path_from(problem, weights, max(near, 0.05 * size))


def _newton(problem: Kinks, weights: Tensor, residual: Tensor, share: float) -> Tensor | None:
    """Newton step of the loss smoothed over the band that holds that share of the rows; coefficients at zero stay."""
    count = max(1, int(share * problem.n))
    width = float(residual.abs().kthvalue(count).values)
    if not width > 0:
        return None
    theta = 0.5 * (problem.low + problem.high) + (residual / (2 * width)).clamp(-0.5, 0.5)
    gradient = problem.linear + problem.adjoint(_data_rows(problem, theta)) + problem.quadratic(weights)
    rows = (residual.abs() < width).nonzero()[:, 0]
    every = max(1, len(rows) // (CURVATURE_ROWS * problem.p))
    part = problem.select(rows[::every], problem.linear)
    curvature = part.share * (every / (2 * width))
    if problem.slope is not None:
        coef = weights[:-1]
        at_zero = coef.abs() <= 1e-3 * coef.abs().max()
        gradient[:-1] = torch.where(at_zero, 0.0, gradient[:-1] + problem.slope * torch.sign(coef))
        curvature = torch.cat([curvature, torch.where(at_zero, 1e12 * float(curvature.max()), 0.0)])
    try:
        step = normal_equations(part, curvature)(-gradient)
    except FloatingPointError:
        return None
    return step if bool(torch.isfinite(step).all()) else None
