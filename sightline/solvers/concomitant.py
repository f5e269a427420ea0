"""Huber's regression with its scale estimated jointly: scikit-learn's ``HuberRegressor``.

    J(w, b, σ) = Σ s_i (σ + σ H(r_i / σ)) + ½ Σ λ_j w_j²,   H(u) = u² for |u| <= ε, else 2 ε |u| - ε²,   Σ s = 1

is convex in all of them together (Owen 2007, "A robust hybrid of lasso and ridge regression", section 3).  At σ = 0 it
is continued by its limit 2 ε Σ s |r| + ½ Σ λ w²: least absolute deviations.  That is where the minimum lies when enough
rows are fitted exactly (more than 1 - 1/ε² of the weight; a perfect fit always).

Fenchel's dual: any θ with |θ_i| <= 2 ε, Σ s θ²/4 <= 1, Σ s θ = 0 with an intercept, gives

    J* >= -Σ s θ (y - offset) - ½ Σ_j v_j² / λ_j,   v = X'(sθ);   v = 0 where λ = 0.

At the optimum θ = 2 clip(r / σ, ±ε), and Σ s θ²/4 = 1 is the equation of σ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import EPS, balanced
from sightline.losses import Huber, Quantile
from sightline.objective import Objective, Weights
from sightline.penalties import Penalty
from sightline.projection import without_penalty
from sightline.solvers.crossover import vertex
from sightline.solvers.factor import cholesky
from sightline.solvers.interior_point import follow, path_from
from sightline.solvers.kinks import as_kinks, flat, unflat
from sightline.solvers.margin import InteriorPoint

VANISHING = 1e-9  # a scale below this share of the targets' own is examined as 0


@dataclass(frozen=True, slots=True)
class JointStep:
    """One step: weights and scale, J there, its proven gap, norm of the gradient in (w, b)."""

    weights: Weights
    sigma: float
    value: float
    gap: float
    gradient_norm: float


class Concomitant:
    """The joint problem of an ``Objective`` whose loss is ignored: its data, penalty (none or L2) and intercept count.

    epsilon : ε >= 1 (below it no scale is finite where all rows lie outside).
    """

    def __init__(self, objective: Objective, epsilon: float) -> None:
        if not (math.isfinite(epsilon) and epsilon >= 1):
            raise ValueError(f"epsilon={epsilon}; it must be a finite number >= 1.")
        if not objective.penalty.smooth:
            raise ValueError("the joint scale is for no penalty or L2.")
        self.objective, self.epsilon = objective, epsilon
        self.median = replace(objective, loss=Quantile(0.5), penalty=self._penalty(1 / (4 * epsilon)))
        self.size = 4 * epsilon * self.median.null_value  # J of a model without coefficients, at σ = 0

    def _penalty(self, factor: float) -> Penalty:
        return replace(self.objective.penalty, l2=self.objective.penalty.l2 * factor)

    def residual(self, weights: Weights) -> Tensor:
        """Scores - y, (n,)."""
        return self.objective.scores(weights) - self.objective.data.y

    def value(self, weights: Weights, sigma: float, residual: Tensor | None = None) -> float:
        """J."""
        r = (self.residual(weights) if residual is None else residual).abs()
        penalty = self.objective.penalty.value(weights.coef)
        if sigma == 0:
            return 2 * self.epsilon * self.objective.mean(r) + penalty
        inner = r.clamp(max=self.epsilon * sigma)
        return sigma + self.objective.mean(inner * (2 * r - inner)) / sigma + penalty

    def best_sigma(self, residual: Tensor) -> float:
        """The σ >= 0 that minimises J at these residuals: Σ s min(r²/σ², ε²) = 1, solved on the sorted |r|."""
        size, order = residual.abs().sort()
        s = self.objective.row_weights
        share = s[order] if isinstance(s, Tensor) else torch.full_like(size, s)
        outside = (share.sum() - share.cumsum(0)).clamp(min=0)
        left = 1 - self.epsilon**2 * outside
        inner = (share * size.square()).cumsum(0)
        # With the k smallest inside: σ² = inner_k / left_k; right where size_k <= ε σ < size_(k+1).
        sigma = torch.where(left > 0, inner / left.clamp(min=EPS), math.inf).sqrt()
        following = torch.cat([size[1:], size.new_full((1,), math.inf)])
        fits = (left > 0) & (self.epsilon * sigma < following) & (self.epsilon * sigma >= size * (1 - 1e-12))
        if not bool(fits.any()):
            return 0.0
        return float(sigma[fits.nonzero()[0, 0]])

    def lower(self, weights: Weights, theta: Tensor) -> float:
        """A lower bound on J* from θ, made feasible first."""
        objective, median = self.objective, self.median
        dual = (theta / (4 * self.epsilon)).clamp(-0.5, 0.5)
        slack = 0.0
        if objective.penalty.l2 == 0:
            dual, slack = without_penalty(median, dual, weights)
        elif objective.intercept:
            dual = balanced(median, dual)
            slack = 2 * abs(float(objective.weighted(dual).sum()) * float(weights.intercept))
        dual = 4 * self.epsilon * dual
        slack = 4 * self.epsilon * slack
        square = 0.25 * objective.mean(dual.square())
        if square > 1:
            dual = dual * ((1 - 8 * EPS) / math.sqrt(square))
        y = objective.data.y if objective.data.offset is None else objective.data.y - objective.data.offset
        bound = -objective.mean(dual * y) - slack
        if objective.penalty.l2 > 0:
            bound -= objective.penalty.conjugate(-objective.data.design.adjoint(objective.weighted(dual)))
        return max(bound, 0.0)

    def theta(self, residual: Tensor, sigma: float) -> Tensor:
        """2 clip(r/σ, ±ε)."""
        return 2 * (residual / max(sigma, 1e-300)).clamp(-self.epsilon, self.epsilon)

    def step(self, weights: Weights, theta: Tensor | None = None, sigma: float | None = None) -> JointStep:
        """The step at these weights, with the best σ and its gap."""
        residual = self.residual(weights)
        sigma = self.best_sigma(residual) if sigma is None else sigma
        value = self.value(weights, sigma, residual)
        theta = self.theta(residual, sigma) if theta is None else theta
        gap = max(value - self.lower(weights, theta), 0.0) + 4 * EPS * value
        gradient = self._gradient(weights, self.theta(residual, sigma))
        return JointStep(weights, sigma, value, gap, float(gradient.norm()))

    def _gradient(self, weights: Weights, theta: Tensor) -> Tensor:
        objective = self.objective
        weighted = objective.weighted(theta)
        coef = objective.data.design.adjoint(weighted) + objective.penalty.smooth_gradient(weights.coef)
        b = weighted.sum() if objective.intercept else weighted.new_zeros(())
        return torch.cat([coef, b.reshape(1)])

    def newton(self, step: JointStep) -> Weights | None:
        """Weights after a Newton step in (w, b, σ) together that decreases J with σ at its best; None where none does.

        The curvature in σ is eliminated first: what is left is that of the inner rows less a rank-one term.
        """
        objective, sigma = self.objective, step.sigma
        if sigma == 0:
            return None
        residual = self.residual(step.weights)
        inside = (residual.abs() <= self.epsilon * sigma).to(residual.dtype)
        gram = objective.curvature_gram(inside * (2 / sigma))
        strengths = objective.penalty.l2_strengths(step.weights.coef) * torch.ones_like(step.weights.coef)
        gram.diagonal()[:-1] += strengths
        inner = objective.weighted(inside * residual)
        cross = torch.cat([objective.data.design.adjoint(inner), inner.sum().reshape(1)]) * (-2 / sigma**2)
        if not objective.intercept:
            cross[-1] = 0.0
        curvature = 2 / sigma**3 * float(torch.dot(inner, residual))
        gradient = self._gradient(step.weights, self.theta(residual, sigma))
        try:
            factor = cholesky(gram)
        except FloatingPointError:
            return None
        both = torch.cholesky_solve(torch.stack([gradient, cross], 1), factor)
        solution, through = both[:, 0], both[:, 1]
        left = curvature - float(torch.dot(cross, through))
        direction = -solution
        if left > 1e-12 * curvature:
            direction = direction - through * (float(torch.dot(cross, solution)) / left)
        slope = float(torch.dot(gradient, direction))
        vector, share = flat(step.weights), 1.0
        while slope < 0 and share > 1e-4:
            trial = unflat(vector + share * direction)
            after = self.residual(trial)
            value = self.value(trial, self.best_sigma(after), after)
            if value <= step.value + 1e-4 * share * slope + 4 * EPS * step.value:
                return trial
            share *= 0.5
        return None

    def at_scale(self, weights: Weights, sigma: float, enough: float) -> Weights:
        """The optimum in (w, b) for a fixed σ, to a relative gap of ``enough``."""
        fixed = replace(self.objective, loss=Huber(self.epsilon * sigma), penalty=self._penalty(sigma / 2))
        for number, step in enumerate(InteriorPoint().steps(fixed, weights)):
            weights = step.weights
            if step.bound.gap <= enough * abs(step.value) or number > 100:
                break
        return weights

    def without_scale(self) -> JointStep:
        """The minimum at σ = 0: least absolute deviations, with its dual point."""
        problem = as_kinks(self.median)
        zeros = torch.zeros_like(problem.linear)
        size = float((problem.share * problem.kink.abs()).sum())
        begin = path_from(problem, zeros, size if size > 0 else 1.0)
        best: JointStep | None = None
        for number, at in enumerate(follow(problem, begin)):
            if number > 60 or at.complementarity <= 1e-14 * self.median.null_value:
                break
        for end in ((at.weights, at.theta[: problem.n]), vertex(problem, at)):
            if end is None:
                continue
            step = self.step(unflat(end[0]), 4 * self.epsilon * end[1], 0.0)
            if best is None or step.gap < best.gap:
                best = step
        assert best is not None
        return best

    def steps(self, weights: Weights | None = None) -> Iterator[JointStep]:
        """Steps to the joint optimum, from the given weights or a least-squares fit's scale."""
        spread = self.median.null_value
        problem = as_kinks(self.median)
        if self.objective.intercept and bool((problem.kink == problem.kink[0]).all()):
            zeros = self.objective.zeros()
            yield self.step(Weights(zeros.coef, problem.kink[0].clone()), torch.zeros_like(problem.kink), 0.0)
            return
        if weights is None:
            # The interior-point method starts from least squares by itself; any scale of the right order will do.
            weights = self.at_scale(self.objective.zeros(), 1.5 * spread, 1e-2)
        now = self.step(weights)
        failures = 0
        for _ in range(1000):
            yield now
            if now.sigma <= VANISHING * spread:
                flat_fit = self.without_scale()
                yield flat_fit
                if flat_fit.gap <= now.gap:
                    return
            trial = self.newton(now)
            after = None if trial is None else self.step(trial)
            if after is None or (after.gap > 0.5 * now.gap and after.value >= now.value * (1 - 1e-3)):
                # Newton is not getting on: the best weights for this scale, whose best scale comes next.
                failures += 1
                if failures == 2:
                    flat_fit = self.without_scale()
                    if flat_fit.gap <= 1e-9 * flat_fit.value:
                        yield flat_fit
                        return
                if now.sigma == 0 or now.gap <= 64 * EPS * now.value or failures > 60:
                    return
                other = self.step(self.at_scale(now.weights, now.sigma, 1e-12))
                after = other if after is None or other.value < after.value else after
                if after.value >= now.value and after.gap >= now.gap:
                    return
            now = after
