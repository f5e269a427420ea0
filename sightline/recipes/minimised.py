"""What a recipe minimises: the convex problem that its loss, data and weight decay make together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

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
    factor, constant : the recipe's own loss on all data is ``factor`` · mean loss + ``constant``; the factor is 2 for
        ``nn.MSELoss``, which is not halved, and n times as large for a sum.
    sentence : the problem in words.
    difference : the objective's score is the second of the module's two scores less the first.
    tol : relative gap to which the optimum is proven.  time_limit : seconds that may take.
    by_batch : the rows weigh what the batches of an epoch make them weigh, and not alike.
    others : gives problems on the same rows; the optimum of an equal one that has been solved is taken over.
    """

    objective: RecipeObjective
    factor: float
    sentence: str
    constant: float = 0.0
    difference: bool = False
    tol: float = 1e-6
    time_limit: float | None = None
    by_batch: bool = False
    others: Callable[[], Iterable[Minimised]] = field(default=tuple, compare=False)

    def __repr__(self) -> str:
        """The problem in words; its tensors would fill pages."""
        return f"Minimised({self.sentence})"

    def __getstate__(self) -> dict[str, Any]:
        """Without the other trainings."""
        return {**vars(self), "others": tuple}

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
        for other in self.others():
            if other is not self and self._equals(other) and "solution" in vars(other):
                return other.solution
        return solve(self.for_solver, tol=max(self.tol / 8, 1e-13), time_limit=self.time_limit)

    @cached_property
    def optimum(self) -> Weights:
        """The optimum's weights, in the form of those of ``objective``."""
        return self.objective.from_solver(self.solution.weights)

    @property
    def lower_bound(self) -> float:
        """No weights' objective is below it."""
        return max(self.solution.certificate.lower_bound, 0.0)

    def _equals(self, other: Minimised) -> bool:
        """Whether it is the same problem, given that the rows are the same."""
        mine, theirs = self.objective, other.objective
        return (mine.loss, mine.penalty, mine.intercept, mine.bias_strength, self.tol, self.time_limit) == (
            theirs.loss, theirs.penalty, theirs.intercept, theirs.bias_strength, other.tol, other.time_limit
        )  # fmt: skip

    def certificate(self, weights: Weights, dtype: torch.dtype) -> Certificate:
        """The certificate of weights, which came from anywhere."""
        value = self.objective.value(weights)
        if not math.isfinite(value):  # weights so large that the loss overflows
            best = self.solution.certificate
            return replace(best, verdict=Verdict.INACCURATE, value=math.inf, gap=math.inf, digits=None, witness=None)
        return beside(self.for_solver, self.objective.to_solver(weights), self.solution, dtype, self.tol)

    def optimum_result(self) -> Result:
        """The optimum as ``sl.fit`` gives it."""
        return to_result(self.objective, replace(self.solution, weights=self.optimum))

    def in_own_units(self, value: float) -> float:
        """A value of ``objective`` as the recipe's own loss counts it."""
        return self.factor * value + self.constant
