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
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.constraints.budgets import Coded, compile_budgets, measured
from sightline.constraints.rates import Constraint
from sightline.constraints.result import ConstrainedResult
from sightline.progress import Progress
from sightline.recipes.batches import Batch, TensorBatches, make_batches
from sightline.recipes.checkpoint import Checkpoints
from sightline.recipes.ending import finish
from sightline.recipes.loop import Job, run
from sightline.recipes.named_losses import as_loss_function
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


class _Rows(TensorBatches):
    """The same batches; ``at`` says which rows the one at hand is of."""

    at: Any = slice(None)

    @staticmethod
    def of(batches: TensorBatches) -> _Rows:
        """Batches in the same order."""
        same = _Rows.__new__(_Rows)
        vars(same).update(vars(batches))
        return same

    def epoch(self) -> Iterator[Batch]:
        """As in ``TensorBatches``."""
        X, y, n = self.X, self.y, len(self.X)
        if self.order is not None:
            for index in self.order:
                self.at = index
                yield X[index], y[index]
        else:
            for begin in range(0, n, self.size):
                self.at = slice(begin, begin + self.size)
                yield (X, y) if self.size >= n else (X[self.at], y[self.at])


class _Lagrangian:
    """The loss with the constraints' part; also what all rows say after an epoch."""

    def __init__(
        self, base: Callable[[Any, Any], Tensor], constraints: tuple[Constraint, ...], rows: _Rows, method: str,
        rate: float,
    ) -> None:
        self.rows = rows
        positive = (rows.y.reshape(-1) > 0).cpu().numpy()
        classes = (0, 1) if bool((rows.y >= 0).all()) else (-1, 1)
        self.coded = Coded(positive, np.ones(len(positive)), classes)
        self.budgets = compile_budgets(constraints, self.coded)
        self.base, self.constraints, self.method, self.rate = base, constraints, method, rate
        use = self.budgets.convex
        device, n = rows.X.device, len(positive)
        self.up = torch.from_numpy(n * self.budgets.up[use]).to(device)
        self.down = torch.from_numpy(n * self.budgets.down[use]).to(device)
        self.budget = torch.from_numpy(self.budgets.budget[use]).to(device)
        self.multipliers = torch.zeros(len(self.budget), dtype=torch.float64)

    def excess(self, outputs: Tensor, at: Any) -> Tensor:
        """Hinge bounds minus budgets, (K,), estimated on a batch of the rows ``at``."""
        z = scores_of(outputs)
        up, down = self.up[:, at].to(z.device, z.dtype), self.down[:, at].to(z.device, z.dtype)
        over = (up * torch.relu(1 - z) + down * torch.relu(1 + z)).mean(1)
        return over - self.budget.to(z.device, z.dtype)

    def __call__(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss that a step descends."""
        over = self.excess(outputs, self.rows.at)
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
        over = true if self.method == "lagrangian" else self.excess(outputs, slice(None)).detach().double().cpu()
        self.multipliers = (self.multipliers + self.rate * over).clamp(min=0)
        return float(self.base(outputs, y)), self.budgets.kept(h), float(np.maximum(errors, 0).sum())


class _Judge:
    """Judges the weights at the end of each epoch, and keeps the best; a ``Keeper``, so that a checkpoint which is
    written there holds the multipliers that the next epoch begins with."""

    def __init__(self, module: nn.Module, lagrangian: _Lagrangian, checkpoints: Checkpoints | None) -> None:
        self.module, self.lagrangian, self.checkpoints = module, lagrangian, checkpoints
        self.history: list[tuple[float, bool, float, tuple[float, ...]]] = []
        self.best: dict[str, Any] = {}
        self.steps = 0  # up to which all epochs are judged
        self.within = False  # the training was resumed within an epoch
        if checkpoints is not None:
            checkpoints.more, checkpoints.restore = self.state, self.restore

    def judge(self, steps: int) -> None:
        """The weights after so many steps."""
        self.steps = steps
        rows, constraints = self.lagrangian.rows, self.lagrangian.constraints
        with torch.no_grad():
            outputs = self.module(rows.X)
            value, kept, missed = self.lagrangian.follow(outputs, rows.y)
        self.history.append((value, kept, missed, tuple(self.lagrangian.multipliers.tolist())))
        rank = (not kept, value if kept else missed)
        if not self.best or rank < self.best["rank"]:
            h = (scores_of(outputs) > 0).cpu().numpy()
            rates = tuple(measured(c, self.lagrangian.coded, h) for c in constraints)
            state = copy.deepcopy(dict(self.module.state_dict()))
            self.best = {"rank": rank, "epoch": len(self.history), "state": state, "value": value, "kept": kept,
                         "rates": rates}  # fmt: skip

    def begin_epoch(self, job: Job) -> None:
        """The epoch before is over."""
        if job.steps > self.steps and not self.within:
            self.judge(job.steps)
        self.within = False
        if self.checkpoints is not None:
            self.checkpoints.begin_epoch(job)

    def due(self, step: int, now: float) -> bool:
        """As in ``Checkpoints``."""
        return self.checkpoints is not None and self.checkpoints.due(step, now)

    def keep(self, job: Job, epoch: int, number: int) -> None:
        """As in ``Checkpoints``."""
        if self.checkpoints is not None:
            self.checkpoints.keep(job, epoch, number)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the constraints."""
        return {"asked": self._asked(), "multipliers": self.lagrangian.multipliers, "history": self.history,
                "best": self.best, "steps": self.steps}  # fmt: skip

    def restore(self, kept: dict[str, Any] | None) -> None:
        """The reverse.

        Raises
        ------
        ValueError : the checkpoint's training had other constraints.
        """
        if kept is None or kept["asked"] != self._asked():
            raise ValueError("the checkpoint is of a training under other constraints; delete it or name another file.")
        self.lagrangian.multipliers, self.history = kept["multipliers"], kept["history"]
        self.best, self.steps = kept["best"], kept["steps"]

    def _asked(self) -> list[Any]:
        q = self.lagrangian
        parts = (q.budgets.up, q.budgets.down, q.budgets.budget)
        digest = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        return [[str(c) for c in q.constraints], q.method, q.rate, digest.hexdigest()]


def train_constrained(
    module: nn.Module, data: Any, loss: Any, recipe: Recipe, callback: Any = None, **options: Any
) -> ConstrainedTraining:
    """``train`` for a recipe with ``subject_to``; options are those of ``train``.

    Raises
    ------
    ValueError : a method that is not known, rows that come from a ``DataLoader``, and what ``train`` and
        ``sl.fit(subject_to=...)`` refuse.
    """
    from sightline.recipes.training import _teller, prepare

    if recipe.constraint_method not in METHODS:
        raise ValueError(f"constraint_method={recipe.constraint_method!r}; choose one of {', '.join(METHODS)}.")
    if not recipe.constraint_rate > 0:
        raise ValueError(f"constraint_rate={recipe.constraint_rate}; it must be a positive number.")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError("a recipe with subject_to measures its rates on all rows: give data as a pair (X, y).")
    if options.get("engine", "exact") != "exact":
        raise ValueError("a recipe with subject_to runs on engine='exact'.")
    asked = recipe.subject_to
    constraints = (asked,) if isinstance(asked, Constraint) else tuple(asked or ())
    if not constraints:
        raise ValueError("subject_to is empty; give at least one constraint such as sl.recall() >= 0.9.")
    base = as_loss_function(loss)
    job = prepare(module, _tensors(data, loss, module), base, recipe.but(subject_to=None), options["record"])
    assert isinstance(job.batches, TensorBatches)
    job.batches = rows = _Rows.of(job.batches)
    job.loss = lagrangian = _Lagrangian(base, constraints, rows, recipe.constraint_method, recipe.constraint_rate)
    job.callback, job.time_limit = callback, options.get("time_limit")
    checkpoints = None
    if options.get("checkpoint") is not None:
        checkpoints = Checkpoints(options["checkpoint"], options.get("checkpoint_every"))
    job.keeper = judge = _Judge(module, lagrangian, checkpoints)
    if checkpoints is not None:
        checkpoints.resume(job)
        judge.within = job.done[1] > 0
    with Progress(quiet=options.get("progress") is False) as line:
        job.progress = _teller(line, job)
        run(job)
        job.seconds = time.perf_counter() - job.begun
        if job.steps > judge.steps or not judge.history:
            judge.judge(job.steps)
        training = finish(job, certify=False, tol=1e-6, warn=options.get("warn", True))
    best, history = judge.best, judge.history
    module.load_state_dict(best["state"])
    return ConstrainedTraining(
        module, best["kept"], best["epoch"], best["value"], best["rates"], tuple(str(c) for c in constraints),
        tuple(h[3] for h in history), tuple(h[0] for h in history), tuple(h[1] for h in history), training,
        constraints, loss,
    )  # fmt: skip


def _tensors(data: Any, loss: Any, module: nn.Module) -> tuple[Tensor, Tensor]:
    """X and y as tensors; labels as the numbers that the loss takes."""
    rows = make_batches(data, Recipe(), next(module.parameters()))
    assert isinstance(rows, TensorBatches)
    X, y = rows.X, rows.y
    return X, y.to(X.dtype) if not y.is_floating_point() and isinstance(loss, str) and loss != "softmax" else y
