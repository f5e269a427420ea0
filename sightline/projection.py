"""Dual points for coefficients that no penalty holds: X'(sθ) = 0 there, with θ inside its box.

A θ that meets this nearly is moved by  δ = -R² [X,1] G⁻¹ ρ,  G = [X,1]' s R² [X,1],  where ρ is the residual and R the
room of each θ_i in its box.  Rows at a bound stay there, and |δ_i| <= R_i for all i whenever  ρ' G⁻¹ ρ <= min s  (by
Cauchy-Schwarz, as s_i R_i² x_i' G⁻¹ x_i <= 1).

The same argument bounds what rounding leaves.  For a last residual ρ (computed, plus its rounding error) a feasible θ
exists within the box as long as ρ' G⁻¹ ρ <= min s, and moving there changes the dual objective by at most |h|·|ρ| to
first order, h = G⁻¹ [X,1]' s R² (conjugate's slope - offset): the bound stays rigorous without knowing the optimum.
Where G is singular to rounding (a flat optimum) ρ counts only at the size of rounding: the bound then holds for data
equal to the given to within a few units in the last place.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline.losses import Loss
from sightline.objective import Objective, Weights

EPS = 2.0**-52
NEGLIGIBLE = 1e-3  # rooms smaller than this share of the largest do not take part
ROUNDING = 64 * EPS  # residuals up to this share of a column's size are rounding


def without_penalty(objective: Objective, dual: Tensor, weights: Weights) -> tuple[Tensor, float]:
    """(θ, slack): θ moved to X'(sθ) = 0 (>= 0 where the penalty asks for w >= 0) and Σ sθ = 0 with an intercept, and
    what must be taken off the dual objective for the residual that is left; inf where θ stays infeasible.

    ``dual`` is (n,), inside its box (losses of one score); ``weights`` are near the optimum.
    """
    low, high = objective.loss.dual_bounds(objective.data.y)
    previous = math.inf
    slack = math.inf
    size = _sizes(objective, dual)
    for attempt in range(6):
        residual = _residual(objective, dual)
        if not bool(residual.any()):
            return dual, 0.0
        worst = float((residual.abs() / size).max())
        slack = 2 * float((residual.abs() * weights.flat().abs()).sum()) if worst <= ROUNDING else math.inf
        system = _System(objective, dual, low, high, _held(objective, dual, size))
        if worst <= ROUNDING or (attempt and not worst < 0.5 * previous) or attempt == 5:
            return dual, min(slack, system.slack(residual, size))
        previous = worst
        dual = torch.minimum(torch.maximum(dual + system.move(residual), _like(low, dual)), _like(high, dual))
    return dual, slack


def _residual(objective: Objective, dual: Tensor) -> Tensor:
    """What X'(sθ), and Σ sθ with an intercept, should not have, (p + 1,)."""
    weighted = objective.weighted(dual)
    v = objective.data.design.adjoint(weighted)
    if objective.penalty.positive:
        v = v.clamp(max=0)
    b = weighted.sum() if objective.intercept else v.new_zeros(())
    return torch.cat([v, b.reshape(1)])


def _held(objective: Objective, dual: Tensor, size: Tensor) -> Tensor | None:
    """Columns whose equation or inequality is tight, where it is an inequality; None for all."""
    if not objective.penalty.positive:
        return None
    v = objective.data.design.adjoint(objective.weighted(dual))
    tight = (v <= 1e-6 * size[:-1]).nonzero()[:, 0]
    return tight if len(tight) < objective.p else None


def _sizes(objective: Objective, dual: Tensor) -> Tensor:
    """Bound of Σ s |x_ij θ_i| for each column, and for the intercept, (p + 1,)."""
    length = math.sqrt(objective.mean(dual.square()))
    return torch.cat([objective.column_norms, torch.ones_like(objective.column_norms[:1])]).clamp(min=1e-300) * max(
        length, 1e-300
    )


class _System:
    """G and its solver for the rooms at some θ."""

    def __init__(
        self, objective: Objective, dual: Tensor, low: Tensor | float, high: Tensor | float, held: Tensor | None
    ) -> None:
        self.objective, self.dual, self.held = objective, dual, held
        room = torch.minimum(_room(dual, low), _room(dual, high)).clamp(min=0)
        kept = (room > NEGLIGIBLE * room.max()).nonzero()[:, 0]
        self.rows = kept if objective.p < len(kept) < objective.n // 2 else None
        design, self.room = objective.data.design, room.square()
        design = design if held is None else design.columns(held)
        share = torch.as_tensor(objective.row_weights, dtype=torch.float64, device=dual.device).expand_as(dual)
        if self.rows is not None:
            design, self.room, share = design.rows(self.rows), self.room[self.rows], share[self.rows]
        self.design, self.share, self.least = design, share, float(share.min())
        d = share * self.room
        p = design.p
        gram = torch.zeros((p + 1, p + 1), dtype=torch.float64, device=dual.device)
        gram[:p, :p] = design.gram(d)
        if objective.intercept:
            gram[:p, p] = gram[p, :p] = design.adjoint(d)
            gram[p, p] = d.sum()
        self.scale = gram.diagonal().clamp(min=1e-300).rsqrt()
        scaled = self.scale[:, None] * gram * self.scale
        if not objective.intercept:
            scaled[p, p] = 1.0
        factor, info = torch.linalg.cholesky_ex(scaled)
        regular = int(info) == 0 and float(factor.diagonal().min()) > 1e-6
        self.factor = factor if regular else None
        # Singular to rounding: the least correction, in the directions that it has.
        self.inverse = None if regular else torch.linalg.pinv(scaled, rtol=1e-12, hermitian=True)

    def _solved(self, right: Tensor) -> Tensor:
        right = self.scale * right
        if self.factor is None:
            assert self.inverse is not None
            return self.scale * (self.inverse @ right)
        return self.scale * torch.cholesky_solve(right[:, None], self.factor)[:, 0]

    def _tight(self, vector: Tensor) -> Tensor:
        return vector if self.held is None else torch.cat([vector[:-1][self.held], vector[-1:]])

    def move(self, residual: Tensor) -> Tensor:
        """δ for every row."""
        solution = self._solved(self._tight(residual))
        z = self.design.scores(solution[:-1]) + (solution[-1] if self.objective.intercept else 0.0)
        part = -self.room * z
        if self.rows is None:
            return part
        return torch.zeros_like(self.dual).index_copy_(0, self.rows, part)

    def slack(self, residual: Tensor, size: Tensor) -> float:
        """Bound on what the exact correction of the residual and its rounding error changes; inf where G is singular
        or no correction stays in the box."""
        if self.factor is None:
            return math.inf
        whole = self._tight(residual.abs() + 8 * EPS * size)
        # |ρ' G⁻¹ ρ| for every choice of signs: by the norm of the scaled residual and the factor's smallest pivot.
        scaled = self.scale * whole
        inverse = torch.cholesky_inverse(self.factor)
        energy = float(scaled @ inverse.abs() @ scaled)
        if not 4 * energy <= self.least:
            return math.inf
        data, loss = self.objective.data, self.objective.loss
        dual, y = (self.dual, data.y) if self.rows is None else (self.dual[self.rows], data.y[self.rows])
        slope = _slope(loss, dual, y)
        if data.offset is not None:
            slope = slope - (data.offset if self.rows is None else data.offset[self.rows])
        right = self.share * self.room * slope
        total = right.sum() if self.objective.intercept else right.new_zeros(())
        h = self._solved(torch.cat([self.design.adjoint(right), total.reshape(1)]))
        first = float((h.abs() * whole).sum())
        # Second order: ½ Σ s δ² conjugate'' <= ½ max(R² conjugate'') ρ' G⁻¹ ρ.  The conjugate of a self-concordant
        # loss is steep where R is small: R² conjugate'' <= 2 max(1, R) there, as |δ| <= R / 2.
        most = float(self.room.max())
        steep = most / loss.curvature_bound if loss.self_concordance is None else 2 * max(1.0, math.sqrt(most))
        return 1.01 * first + 0.5 * steep * energy


def _slope(loss: Loss, dual: Tensor, y: Tensor) -> Tensor:
    """Derivative of the conjugate, (n,)."""
    with torch.enable_grad():
        at = dual.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss.conjugate(at, y).sum(), at)
    return torch.nan_to_num(slope, nan=0.0, posinf=0.0, neginf=0.0)


def _like(bound: Tensor | float, dual: Tensor) -> Tensor:
    return torch.as_tensor(bound, dtype=dual.dtype, device=dual.device)


def _room(dual: Tensor, end: Tensor | float) -> Tensor:
    """Distance from an end of the box; a row's own size (or 1) where the box has none."""
    distance = (dual - _like(end, dual)).abs()
    return torch.where(torch.isinf(distance), 1.0 + dual.abs(), distance)
