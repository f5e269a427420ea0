"""What a recipe minimises: the convex problem that its loss, data and weight decay make together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from sightline.certificate import Certificate, Verdict
from sightline.certifying import beside
from sightline.driver import solve, to_result
from sightline.objective import Objective, Weights
from sightline.recipes.objective import RecipeObjective
from sightline.result import Result
from sightline.run import Solution


@dataclass(frozen=True)
class Minimised:
    """A convex problem, and its optimum when asked for.

    objective : the problem: weighted mean loss + penalties.
    factor : the recipe's own mean loss is ``factor`` times that of ``objective`` (2 for ``nn.MSELoss``, which is not
        halved), up to a constant.
    sentence : the same in words.
    tol : relative gap to which the optimum is proven.  time_limit : seconds that may cost.
    """

    objective: RecipeObjective
    factor: float
    sentence: str
    tol: float = 1e-6
    time_limit: float | None = None

    @property
    def bias_included(self) -> bool:
        """Whether the penalty holds the intercept as well."""
        return self.objective.bias_strength > 0

    @cached_property
    def for_solver(self) -> Objective:
        """The problem as the solvers take it."""
        return self.objective.for_solver()

    @cached_property
    def solution(self) -> Solution:
        """The certified optimum of ``for_solver``."""
        return solve(self.for_solver, tol=max(self.tol / 8, 1e-13), time_limit=self.time_limit)

    @cached_property
    def optimum(self) -> Weights:
        """The optimum's weights, in the form of those of ``objective``."""
        return self.objective.from_solver(self.solution.weights)

    @property
    def lower_bound(self) -> float:
        """No weights' objective is below it."""
        return self.solution.certificate.lower_bound

    def certificate(self, weights: Weights, dtype: torch.dtype) -> Certificate:
        """The certificate of weights, which came from anywhere."""
        objective = self.for_solver
        return beside(objective, self.objective.to_solver(weights), self.solution, dtype, self.tol)

    def optimum_result(self) -> Result:
        """The optimum as ``sl.fit`` gives it."""
        solution = replace(self.solution, weights=self.optimum)
        return to_result(self.objective, solution)

    @property
    def without_minimum(self) -> bool:
        """The loss keeps falling as the weights grow."""
        return self.solution.certificate.verdict is Verdict.NO_MINIMUM
