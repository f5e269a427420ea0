"""What a training is measured by: the certified optimum, or where there is none, the infimum and the widest margin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from sightline.certificate import Certificate, Verdict
from sightline.design_matrix import as_design
from sightline.driver import solve
from sightline.losses import Hinge
from sightline.objective import Objective, Weights
from sightline.penalties import L2
from sightline.recipes.objective import RecipeObjective

TOL = 1e-9  # relative gap to which an optimum is computed for a picture
FIRST_STRENGTH = 1e-2  # of the L2 penalty in the search for the widest margin, in units of the columns' size
WIDE = 1e-6  # by how much a margin may miss one


@dataclass(frozen=True)
class Optimum:
    """The certified optimum of a problem.

    weights : the optimum, None where there is none.
    value : lowest objective value, proven to within ``gap``; where there is no minimum, the infimum.
    certificate : what proves it.
    """

    objective: Objective
    weights: Weights | None
    value: float
    gap: float
    certificate: Certificate

    @classmethod
    def of(cls, objective: Objective, weights: Weights, certificate: Certificate) -> Optimum:
        """The optimum that a certificate speaks of."""
        exists = certificate.verdict is not Verdict.NO_MINIMUM
        value = objective.value(weights) if exists else max(certificate.lower_bound, 0.0)
        return cls(objective, weights if exists else None, value, certificate.gap, certificate)

    @cached_property
    def margin(self) -> Weights | None:
        """The widest margin, None where the classes overlap or the weights are not a direction between two classes."""
        return None if self.weights is not None else widest_margin(self.objective)

    @cached_property
    def heading(self) -> Weights | None:
        """Where gradient descent on a separable problem is heading: the widest margin of the vector (w, b), in which
        the bias counts as a weight (Soudry et al. 2018, "The implicit bias of gradient descent on separable data")."""
        return None if self.weights is not None else widest_margin(self.objective, bias_counts=True)


def optimum_of(objective: Objective) -> Optimum:
    """The certified optimum of a problem, found now."""
    if isinstance(objective, RecipeObjective):
        solution = solve(objective.for_solver(), tol=TOL)
        return Optimum.of(objective, objective.from_solver(solution.weights), solution.certificate)
    solution = solve(objective, tol=TOL)
    return Optimum.of(objective, solution.weights, solution.certificate)


def widest_margin(objective: Objective, bias_counts: bool = False) -> Weights | None:
    """The hyperplane between two separable classes that is farthest from the nearest row of each, with |score| = 1
    there (Vapnik 1982): (p,) and (). None where the classes overlap, or there are not two.

    With a small enough L2 penalty the hinge loss's optimum is that hyperplane exactly; the penalty is lowered until
    every row has its margin.  ``bias_counts``: the bias is one of the weights whose norm is small.
    """
    data = objective.data
    if objective.loss.targets != "binary" or getattr(objective.loss, "soft", False):
        return None
    design, bias = data.design, objective.intercept
    if bias_counts and bias:
        X = design.to_dense().double()
        design, bias = as_design(torch.cat([X, X.new_ones(len(X), 1)], 1)), False
    problem = Objective(replace(data, design=design, weight=None, columns=None), Hinge(), intercept=bias)
    size = float(problem.column_norms.square().max()) or 1.0
    strength = FIRST_STRENGTH * size
    for _ in range(6):
        trial = replace(problem, penalty=L2(strength))
        solution = solve(trial, tol=1e-10)
        least = float((data.y * problem.scores(solution.weights)).min())
        if least >= 1 - WIDE:
            return _with_bias(solution.weights, objective)
        strength /= 100
    return None


def _with_bias(weights: Weights, objective: Objective) -> Weights:
    if len(weights.coef) == objective.p:
        return weights
    return Weights(weights.coef[:-1], weights.coef[-1])
