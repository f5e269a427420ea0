"""The convex problem of a recipe, whose weight decay may hold the intercept as well."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from sightline.design_matrix import as_design
from sightline.objective import Evaluation, Objective, Weights
from sightline.penalties import Penalty


@dataclass(frozen=True)
class RecipeObjective(Objective):
    """An ``Objective`` with ½ ``bias_strength`` · Σ b² besides.

    It can be evaluated like any other.  To *solve* it use ``for_solver``: the same problem without intercept, which has
    a penalised column of ones instead.
    """

    bias_strength: float = 0.0

    @cached_property
    def ridge(self) -> Tensor:
        """L2 strength of each coefficient and, last, of the intercept: (p + 1,)."""
        ridge = torch.zeros(self.p + 1, dtype=torch.float64, device=self.data.design.device)
        if self.penalty.l2:
            ridge[:-1] = self.penalty.l2_strengths(ridge[:-1])
        ridge[-1] = self.bias_strength
        return ridge

    def value(self, weights: Weights, scores: Tensor | None = None) -> float:
        """Mean loss + penalties."""
        return super().value(weights, scores) + self._of_bias(weights)

    def _of_bias(self, weights: Weights) -> float:
        return 0.5 * self.bias_strength * float(weights.intercept.square().sum())

    def _evaluation(
        self, weights: Weights, loss: float, scores: Tensor, dual: Tensor, gradient: Tensor, gradient_b: Tensor
    ) -> Evaluation:
        if self.bias_strength:
            gradient_b = gradient_b + self.bias_strength * weights.intercept
        whole = super()._evaluation(weights, loss, scores, dual, gradient, gradient_b)
        return replace(whole, value=whole.value + self._of_bias(weights))

    def for_solver(self) -> Objective:
        """The same problem as the solvers take it."""
        if not self.bias_strength:
            return Objective(self.data, self.loss, self.penalty, self.intercept)
        X = self.data.design.to_dense()
        ones = torch.ones((len(X), 1), dtype=X.dtype, device=X.device)
        strength = self.penalty.l2
        if strength:
            factors = torch.ones(self.p + 1, dtype=torch.float64, device=X.device)
            factors[-1] = (self.bias_strength / strength) ** 0.5
            penalty = Penalty(l2=strength, factors=factors)
        else:
            factors = torch.zeros(self.p + 1, dtype=torch.float64, device=X.device)
            factors[-1] = 1.0
            penalty = Penalty(l2=self.bias_strength, factors=factors)
        columns = None if self.data.columns is None else (*self.data.columns, "(intercept)")
        data = replace(self.data, design=as_design(torch.cat([X, ones], 1)), columns=columns)
        return Objective(data, self.loss, penalty, intercept=False)

    def to_solver(self, weights: Weights) -> Weights:
        """Weights of this problem as ``for_solver`` has them."""
        if not self.bias_strength:
            return weights
        coef = torch.cat([weights.coef, weights.intercept.reshape(1, *weights.coef.shape[1:])])
        return Weights(coef, torch.zeros_like(weights.intercept))

    def from_solver(self, weights: Weights) -> Weights:
        """The reverse of ``to_solver``."""
        return Weights(weights.coef[:-1], weights.coef[-1]) if self.bias_strength else weights
