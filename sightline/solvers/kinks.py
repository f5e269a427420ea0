"""Piecewise linear and linear-quadratic losses, as linear and quadratic programs see them.

Hinge, quantile and Huber's loss are all  max over low <= θ <= high of θ (z - kink) - ½ soft θ²,  with soft = 0 for the
first two and 1 for Huber's (its kink is the target, its box [-δ, δ]); so are λ|w| (kink 0, box [-λ, λ]) and the
constraint w >= 0 (box [-inf, λ]).  A ``Kinks`` problem has rows of that kind and one such row for each coefficient that
needs it; everything else in it is linear or quadratic:

    min over (w, b)  Σ_i s_i max_θ (θ (x_i·w + b - kink_i) - ½ soft θ²)  +  linear·(w, b)  +  ½ Σ_j ridge_j w_j²
                     + Σ_j row of w_j
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from sightline.design_matrix import Design
from sightline.objective import Objective, Weights


@dataclass(frozen=True)
class Kinks:
    """A problem of the form above, float64.

    design : (n, p).  share : (n,) row weights s > 0.  kink, low, high : (n,) ends of the boxes, finite.
    linear : (p + 1,) linear term, the intercept's last.  ridge : (p,) >= 0.  intercept : b may move.
    slope : (p,) strengths λ of |w_j| (or of w_j where ``positive``), or None where coefficients have no rows.
    positive : w >= 0.  soft : see above, for the data's rows; the same number for all.
    """

    design: Design
    share: Tensor
    kink: Tensor
    low: Tensor
    high: Tensor
    linear: Tensor
    ridge: Tensor
    intercept: bool
    slope: Tensor | None = None
    positive: bool = False
    soft: float = 0.0

    @property
    def n(self) -> int:
        """Rows of data."""
        return self.design.n

    @property
    def p(self) -> int:
        """Coefficients."""
        return self.design.p

    @cached_property
    def coefficient_share(self) -> float:
        """Weight given to a coefficient's row, so that all rows are alike in size: the mean of the data rows'."""
        return float(self.share.mean())

    @cached_property
    def all_rows(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
        """(weight, kink, low, high, two-sided) of the data's rows with the coefficients' rows below them; the last
        is None where all boxes are finite, else 0 for rows without a lower end (their ``low`` is a placeholder)."""
        if self.slope is None:
            return self.share, self.kink, self.low, self.high, None
        t = self.coefficient_share
        zeros = torch.zeros_like(self.slope)
        high = self.slope / t
        weight = torch.cat([self.share, torch.full_like(self.slope, t)])
        low = high - 1.0 if self.positive else -high
        two = torch.cat([torch.ones_like(self.share), zeros]) if self.positive else None
        rows = (torch.cat([self.kink, zeros]), torch.cat([self.low, low]), torch.cat([self.high, high]))
        return weight, *rows, two

    @cached_property
    def all_soft(self) -> Tensor | None:
        """``soft`` of the data's rows with zeros below for the coefficients' rows; None where all are zero."""
        if self.soft == 0:
            return None
        rows = torch.full_like(self.share, self.soft)
        return rows if self.slope is None else torch.cat([rows, torch.zeros_like(self.slope)])

    def loss(self, residual: Tensor) -> Tensor:
        """Loss of each of the data's rows, (n,)."""
        if self.soft == 0:
            return torch.maximum(self.low * residual, self.high * residual)
        theta = torch.minimum(torch.maximum(residual / self.soft, self.low), self.high)
        return theta * (residual - 0.5 * self.soft * theta)

    def apply(self, weights: Tensor) -> Tensor:
        """Rows times (w, b): x_i·w + b, then w itself where coefficients have rows."""
        z = self.design.scores(weights[:-1])
        if self.intercept:
            z = z + weights[-1]
        return z if self.slope is None else torch.cat([z, weights[:-1]])

    def adjoint(self, rows: Tensor) -> Tensor:
        """Transpose of ``apply``, (p + 1,)."""
        data = rows[: self.n]
        v = self.design.adjoint(data)
        if self.slope is not None:
            v = v + rows[self.n :]
        b = data.sum() if self.intercept else data.new_zeros(())
        return torch.cat([v, b.reshape(1)])

    def quadratic(self, weights: Tensor) -> Tensor:
        """Gradient of the quadratic part, (p + 1,)."""
        return torch.cat([self.ridge * weights[:-1], weights.new_zeros(1)])

    def columns(self, index: Tensor) -> Kinks:
        """The problem of the chosen coefficients alone, the others zero."""
        linear = torch.cat([self.linear[:-1][index], self.linear[-1:]])
        slope = None if self.slope is None else self.slope[index]
        design = self.design.columns(index)
        return replace(self, design=design, linear=linear, ridge=self.ridge[index], slope=slope)

    def select(self, rows: Tensor, linear: Tensor) -> Kinks:
        """The problem of the chosen rows alone; those left out are in ``linear``."""
        from sightline.design_matrix import DenseDesign

        design = self.design.rows(rows)
        if isinstance(design, DenseDesign):
            design = DenseDesign(design.X.double())
        return Kinks(
            design, self.share[rows], self.kink[rows], self.low[rows], self.high[rows], linear, self.ridge,
            self.intercept, self.slope, self.positive, self.soft,
        )


def as_kinks(objective: Objective) -> Kinks:
    """The problem of a hinge, quantile or Huber loss with any penalty."""
    data, penalty = objective.data, objective.penalty
    y = data.y
    like = torch.ones(objective.p, dtype=torch.float64, device=y.device)
    ends = objective.loss.dual_bounds(y)
    low, high = (torch.as_tensor(end, dtype=torch.float64, device=y.device).expand_as(y) for end in ends)
    share = torch.as_tensor(objective.row_weights, dtype=torch.float64, device=y.device).expand_as(y)
    slope = penalty.l1_strengths(like) * like if penalty.l1 > 0 or penalty.positive else None
    return Kinks(
        design=data.design, share=share, kink=y if data.offset is None else y - data.offset, low=low, high=high,
        linear=like.new_zeros(objective.p + 1), ridge=penalty.l2_strengths(like) * like, intercept=objective.intercept,
        slope=slope, positive=penalty.positive, soft=1.0 if objective.loss.name == "huber" else 0.0,
    )


def central(residual: Tensor, width: Tensor, barrier: Tensor) -> Tensor:
    """Distance of θ from the middle of its box on the central path: with a = θ - low, c = high - θ the residual is
    barrier / c - barrier / a, a quadratic equation in θ."""
    return 0.25 * width.square() * residual / (barrier + torch.sqrt(barrier**2 + (0.5 * width * residual).square()))


def soft_central(residual: Tensor, width: Tensor, barrier: Tensor, middle: Tensor, soft: Tensor) -> Tensor:
    """The same where the residual is  soft θ + barrier / c - barrier / a:  a cubic equation, by bisection."""
    low, high = -0.5 * width, 0.5 * width
    for _ in range(45):
        t = 0.5 * (low + high)
        above, below = 0.5 * width - t, 0.5 * width + t
        too_high = soft * (middle + t) + barrier / above - barrier / below > residual
        low, high = torch.where(too_high, low, t), torch.where(too_high, t, high)
    return 0.5 * (low + high)


def flat(weights: Weights) -> Tensor:
    """(p + 1,)."""
    return torch.cat([weights.coef, weights.intercept.reshape(1)])


def unflat(vector: Tensor) -> Weights:
    """The reverse."""
    return Weights(vector[:-1], vector[-1])


def mean_size(problem: Kinks, residual: Tensor) -> float:
    """Weighted mean of |residual| over the data's rows: the problem's own unit."""
    size = float(torch.dot(problem.share, residual[: problem.n].abs())) / float(problem.share.sum())
    return size if size > 0 and math.isfinite(size) else 1.0
