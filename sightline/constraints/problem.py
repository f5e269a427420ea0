"""A constrained fit's problem: the objective, the rates that are asked for, and both as solvers see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from sightline.constraints.budgets import Array, Budgets, Coded, compile_budgets
from sightline.constraints.proxy import LOSSES, Losses
from sightline.constraints.rates import Constraint
from sightline.data import DataError
from sightline.losses import Logistic
from sightline.objective import Objective, Weights
from sightline.working import Working, standardised

ROUNDING = 1e-6  # coefficients of this size beside the largest may be zeros of an L1 penalty


@dataclass(frozen=True)
class Problem:
    """Loss and penalty over data, and constraints on rates.

    objective : in the user's units.  coded : labels and weights by which rates are counted.  constraints : as given.
    """

    objective: Objective
    coded: Coded
    constraints: tuple[Constraint, ...]

    @cached_property
    def budgets(self) -> Budgets:
        """The constraints as budgets of errors."""
        return compile_budgets(self.constraints, self.coded)

    @cached_property
    def working(self) -> Working:
        """Working coordinates: centred and scaled."""
        return standardised(self.objective)

    @cached_property
    def losses(self) -> Losses:
        """The loss in working coordinates."""
        return Losses.of(self.working.objective)

    def to_user(self, w: Array) -> Weights:
        """Working weights (p + 1,) in the user's units.

        Coefficients that an L1 penalty leaves at the solver's rounding are zero, where that changes no prediction and
        does not raise the objective.
        """
        w = self._sparse(w)
        flat = torch.from_numpy(np.ascontiguousarray(w)).to(self.objective.data.design.device)
        return self.working.to_user(Weights(flat[:-1], flat[-1]))

    def _sparse(self, w: Array) -> Array:
        if self.losses.lasso is None:
            return w
        tiny = np.abs(w) <= ROUNDING * np.abs(w).max()
        tiny[-1] = False
        zeroed = np.where(tiny, 0.0, w)
        same = np.array_equal(self.losses.scores(zeroed) > 0, self.losses.scores(w) > 0)
        free = self.losses.free()
        return zeroed if same and free.objective(zeroed) <= free.objective(w) * (1 + 1e-9) else w

    def scores(self, weights: Weights) -> Array:
        """Scores of the rows, (n,) float64, for weights in the user's units."""
        return self.objective.scores(weights).cpu().numpy()

    def take(self, rows: Array) -> Problem:
        """The problem on some of the rows.

        Raises
        ------
        DataError : they lack a class.
        """
        data = self.objective.data
        index = torch.from_numpy(rows).to(data.design.device)
        y = data.y[index]
        if bool((y == y[0]).all()):
            raise DataError("a part of the rows has one class only.")
        weight = None if data.weight is None else data.weight[index]
        offset = None if data.offset is None else data.offset[index]
        part = replace(data, design=data.design.rows(index), y=y, weight=weight, offset=offset)
        return Problem(replace(self.objective, data=part), self.coded.take(rows), self.constraints)


def one_score(objective: Objective) -> Objective:
    """A softmax objective of two classes as the logistic one of the difference of their scores, w = w1 - w0.

    Of all coefficients with that difference w0 = -w1 have the least penalty: l1 |w| + ¼ l2 w².

    Raises
    ------
    ValueError : there are more than two classes.
    """
    if objective.loss.name != "softmax" or getattr(objective.loss, "soft", False):
        return objective
    data = objective.data
    classes = data.classes or ()
    if len(classes) > 2:
        raise ValueError(
            f"subject_to bounds rates of two classes, and y has {len(classes)}. Which of more classes has the largest"
            " score is no convex matter of the weights; ask for the rates of one class against the others, such as"
            f" sl.fit(X, y == {classes[0]!r}, loss='logistic', subject_to=...)."
        )
    binary = replace(data, y=data.y.double().mul(2).sub(1), offset=None)  # added to both scores alike
    penalty = replace(objective.penalty, l2=objective.penalty.l2 / 2)
    return replace(objective, data=binary, loss=Logistic(), penalty=penalty)


def make_problem(
    objective: Objective, constraints: Sequence[Constraint], counted: Array | None = None, kept: Array | None = None
) -> Problem:
    """The problem of an objective and constraints.

    counted : (n,) weights by which rates count the rows; ones by default.  kept : booleans over the rows as given
    where rows of weight zero were left out.

    Raises
    ------
    ValueError : a loss, penalty or offset that constraints on rates do not go with; no constraint.
    DataError, TypeError : as ``compile_budgets``.
    """
    loss = objective.loss
    if loss.targets not in ("binary", "classes"):
        raise ValueError(
            f"subject_to bounds rates of classes, and the {loss} loss takes numbers; use one of {', '.join(LOSSES)}."
        )
    if loss.name not in LOSSES or getattr(loss, "soft", False):
        what = "soft labels" if getattr(loss, "soft", False) else f"the {loss} loss"
        raise ValueError(f"subject_to takes two classes and one of the losses {', '.join(LOSSES)}, not {what}.")
    penalty = objective.penalty
    if penalty.positive or penalty.jeffreys:
        raise ValueError(
            f"subject_to goes with no penalty, L1, L2 and the elastic net, not with {penalty}"
            + ("; Firth's penalised likelihood is not convex." if penalty.jeffreys else ".")
        )
    if isinstance(constraints, Constraint):
        constraints = [constraints]
    if not isinstance(constraints, Sequence) or isinstance(constraints, str):
        raise TypeError(f"subject_to={constraints!r}; it is a list of constraints such as [sl.recall() >= 0.9].")
    if not constraints:
        raise ValueError("subject_to is empty; give at least one constraint such as sl.recall() >= 0.9.")
    data = objective.data
    assert data.classes is not None
    positive = (data.y > 0).cpu().numpy()
    weight = np.ones(data.n) if counted is None else counted
    problem = Problem(objective, Coded(positive, weight, data.classes, kept), tuple(constraints))
    problem.budgets  # noqa: B018  says at once what is wrong with the constraints
    return problem
