"""Trainings under constraints on rates, for any module: multipliers, and the best iterate that keeps the rates.

Each step descends the loss plus hinge bounds on the rates, weighed by multipliers; after each epoch the rates are
measured on all rows and the multipliers follow them:

'lagrangian' : steps see the hinge bounds, multipliers the true rates, λ ← max(0, λ + rate · excess) (the
    proxy-Lagrangian of Cotter, Jiang & Sridharan 2019).
'augmented' : both see the hinge bounds, with a quadratic term of strength ``rate`` (Hestenes 1969, Powell 1969; for
    inequalities Rockafellar 1973).

Such trainings go round the constraint rather than to the constrained optimum; where the module is linear, ``exact``
gives that, with its proof.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.constraints.budgets import Coded, compile_budgets, measured
from sightline.constraints.rates import Constraint
from sightline.constraints.result import ConstrainedResult
from sightline.recipes.recipe import Recipe
from sightline.recipes.result import Training

METHODS = ("lagrangian", "augmented")


@dataclass(frozen=True)
class ConstrainedTraining:
    """A training under constraints.

    module : trained in place, with the weights of the best epoch that kept the rates on all rows (of the epoch that
        broke them least where none did).  feasible : they are kept.  epoch : which one.
    loss : on all rows there, without the multipliers' part.  rates : of the constraints there.
    multipliers : after each epoch, a row of one number a constraint's budget.  losses, kept : of all epochs.
    training : the whole ``Training``, whose trace holds the steps.
    """

    module: nn.Module
    feasible: bool
    epoch: int
    loss: float
    rates: tuple[float, ...]
    constraints: tuple[str, ...]
    multipliers: tuple[tuple[float, ...], ...]
    losses: tuple[float, ...]
    kept: tuple[bool, ...]
    training: Training
    asked: tuple[Constraint, ...]
    named: Any

    def exact(self, **options: Any) -> ConstrainedResult:
        """The constrained optimum of a linear model on the same rows: ``sl.fit(subject_to=...)``.

        Raises
        ------
        ValueError : the loss was not given by name, or the rows were not kept.
        """
        from sightline.driver import fit

        X, y = self.training.X, self.training.y
        if not isinstance(self.named, str) or X is None or y is None:
            raise ValueError("exact() needs a loss given by its name ('logistic', 'hinge', 'squared_hinge'), and rows.")
        labels = (y.reshape(-1) > 0).long()
        found = fit(X.double(), labels, loss=self.named, subject_to=list(self.asked), delta=None, **options)
        assert isinstance(found, ConstrainedResult)
        return found


def scores_of(outputs: Tensor) -> Tensor:
    """One score a row, (n,): of outputs (n,) or (n, 1), or the difference of two.

    Raises
    ------
    ValueError : another shape.
    """
    if outputs.ndim == 2 and outputs.shape[1] == 2:
        return outputs[:, 1] - outputs[:, 0]
    if outputs.ndim > 2 or (outputs.ndim == 2 and outputs.shape[1] != 1):
        raise ValueError(f"subject_to needs one output or two, and the module gives shape {tuple(outputs.shape)}.")
    return outputs.reshape(-1)


class _Lagrangian:
    """The loss with the constraints' part; also what all rows say after an epoch."""

    def __init__(
        self, base: Callable[[Any, Any], Tensor], constraints: tuple[Constraint, ...], y: Tensor, method: str,
        rate: float,
    ) -> None:
        positive = (y.reshape(-1) > 0).cpu().numpy()
        for c in constraints:
            for r in (c.rate.first, c.rate.second):
                if r is not None and r.where is not None:
                    raise ValueError(f"{c}: a recipe's batches do not know their rows' groups; use sl.fit for it.")
        classes = (0, 1) if bool((y >= 0).all()) else (-1, 1)
        self.coded = Coded(positive, np.ones(len(positive)), classes)
        self.budgets = compile_budgets(constraints, self.coded)
        self.base, self.constraints, self.method, self.rate = base, constraints, method, rate
        n = len(positive)
        # Without groups a row's part in a budget depends on its class alone.
        pick = [int(np.argmax(positive == c)) for c in (False, True)]
        use = self.budgets.convex
        self.up = torch.from_numpy(n * self.budgets.up[use][:, pick])
        self.down = torch.from_numpy(n * self.budgets.down[use][:, pick])
        self.budget = torch.from_numpy(self.budgets.budget[use])
        self.multipliers = torch.zeros(len(self.budget), dtype=torch.float64)

    def excess(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Hinge bounds minus budgets, (K,), estimated on a batch."""
        z = scores_of(outputs)
        code = (y.reshape(-1) > 0).long()
        up, down, budget = (t.to(z.device, z.dtype) for t in (self.up, self.down, self.budget))
        over = (up[:, code] * torch.relu(1 - z) + down[:, code] * torch.relu(1 + z)).mean(1)
        return over - budget

    def __call__(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss that a step descends."""
        over = self.excess(outputs, y)
        lam = self.multipliers.to(over.device, over.dtype)
        base = self.base(outputs, y)
        if self.method == "lagrangian":
            return base + (lam * over).sum()
        return base + (torch.relu(lam + self.rate * over).square() - lam.square()).sum() / (2 * self.rate)

    def follow(self, outputs: Tensor, y: Tensor) -> tuple[float, bool, float]:
        """Move the multipliers after an epoch: (loss, whether the rates are kept, by how much they are missed)."""
        h = (scores_of(outputs) > 0).cpu().numpy()
        errors = self.budgets.errors(h) - self.budgets.budget
        true = torch.from_numpy(errors[self.budgets.convex])
        over = true if self.method == "lagrangian" else self.excess(outputs, y).detach().double().cpu()
        self.multipliers = (self.multipliers + self.rate * over).clamp(min=0)
        return float(self.base(outputs, y)), self.budgets.kept(h), float(np.maximum(errors, 0).sum())


def train_constrained(
    module: nn.Module, data: Any, loss: Any, recipe: Recipe, callback: Any = None, **options: Any
) -> ConstrainedTraining:
    """``train`` for a recipe with ``subject_to``; options are those of ``train``.

    Raises
    ------
    ValueError : constraints that no recipe can keep (of groups), a method that is not known, rows that come from a
        ``DataLoader``, and what ``train`` and ``sl.fit(subject_to=...)`` refuse.
    """
    from sightline.recipes.batches import make_batches
    from sightline.recipes.named_losses import as_loss_function
    from sightline.recipes.training import train

    if recipe.constraint_method not in METHODS:
        raise ValueError(f"constraint_method={recipe.constraint_method!r}; choose one of {', '.join(METHODS)}.")
    if not recipe.constraint_rate > 0:
        raise ValueError(f"constraint_rate={recipe.constraint_rate}; it must be a positive number.")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError("a recipe with subject_to measures its rates on all rows: give data as a pair (X, y).")
    if options.get("engine", "exact") != "exact" or options.get("checkpoint") is not None:
        raise ValueError("a recipe with subject_to runs on engine='exact', without checkpoint=.")
    asked = recipe.subject_to
    constraints = (asked,) if isinstance(asked, Constraint) else tuple(asked or ())
    if not constraints:
        raise ValueError("subject_to is empty; give at least one constraint such as sl.recall() >= 0.9.")
    plain = recipe.but(subject_to=None)
    batches: Any = make_batches(data, plain, next(module.parameters()))
    X, y = batches.X, batches.y
    lagrangian = _Lagrangian(
        as_loss_function(loss), constraints, y, recipe.constraint_method, recipe.constraint_rate
    )
    y = y.to(X.dtype) if not y.is_floating_point() and isinstance(loss, str) and loss != "softmax" else y
    history: list[tuple[float, bool, float, tuple[float, ...]]] = []
    best: list[Any] = [None, (True, np.inf), 0, None]
    last = [1]

    def judge(epoch: int) -> None:
        with torch.no_grad():
            outputs = module(X)
            value, kept, missed = lagrangian.follow(outputs, y)
        history.append((value, kept, missed, tuple(lagrangian.multipliers.tolist())))
        rank = (not kept, value if kept else missed)
        if rank < best[1]:
            h = (scores_of(outputs) > 0).cpu().numpy()
            rates = tuple(measured(c, lagrangian.coded, h) for c in constraints)
            best[:] = [copy.deepcopy(module.state_dict()), rank, epoch, (value, kept, rates)]

    def watch(moment: Any) -> bool | None:
        if moment.epoch > last[0]:
            # The first step of an epoch is over: what it began with was judged a step late, which costs nothing.
            judge(last[0])
            last[0] = moment.epoch
        return None if callback is None else callback(moment)

    options = {**options, "certify": False}
    training = train(module, (X, y), lagrangian, plain, callback=watch, **options)
    judge(last[0])
    state, _, epoch, (value, kept, rates) = best
    module.load_state_dict(state)
    return ConstrainedTraining(
        module, kept, epoch, value, rates, tuple(str(c) for c in constraints), tuple(h[3] for h in history),
        tuple(h[0] for h in history), tuple(h[1] for h in history), training, constraints, loss,
    )  # fmt: skip
