"""The convex proxy: least loss where hinge bounds keep the rates.

A row's hinge max(0, 1 - t z) is at least 1 where it is on the wrong side, so weights whose hinge sums keep the budgets
keep the rates.  The problem is convex: its optimum has multipliers (what a unit of each budget is worth) and a proven
gap; where the hinge bounds cannot be kept, a combination of them that is out of reach at all weights proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sightline.constraints.budgets import Budgets
from sightline.constraints.interior import Solved, Watch, solve
from sightline.constraints.program import Array, DesignRows, Matrix, Program, Rows, WithCoefficients
from sightline.objective import Objective

COPY_ELEMENTS = 20_000_000  # designs up to this size are copied to float64
LOSSES = ("logistic", "hinge", "squared_hinge")
PRICE = 1e3


@dataclass(frozen=True)
class Losses:
    """The loss's and the penalty's own part of a program, in the coordinates of a matrix.

    matrix : [X, 1].  label : (n,) ±1.  share : (n,) row weights that sum to one.  kind : name of the loss.
    ridge : (p + 1,).  lasso : (p,) L1 strengths, or None.  offset : (n,) added to the scores, or None.
    """

    matrix: Matrix
    label: Array
    share: Array
    kind: str
    ridge: Array
    lasso: Array | None = None
    offset: Array | None = None

    @staticmethod
    def of(objective: Objective) -> Losses:
        """The loss and the penalty of an objective of one score."""
        design = objective.data.design
        matrix: Matrix
        if not design.sparse and design.n * design.p <= COPY_ELEMENTS:
            matrix = Rows(design.to_dense().cpu().numpy(), objective.intercept)
        else:
            matrix = DesignRows(design, objective.intercept)
        n = objective.n
        weights = objective.row_weights
        share = np.full(n, weights) if isinstance(weights, float) else weights.cpu().numpy().astype(np.float64)
        ridge = objective.ridge.cpu().numpy().copy()
        if not objective.intercept:
            ridge[-1] = 1.0  # the column of zeros: keeps the intercept at zero
        lasso = None
        if objective.penalty.l1:
            strengths = objective.penalty.l1_strengths(objective.zeros().coef)
            lasso = np.broadcast_to(np.asarray(strengths, dtype=np.float64), (objective.p,)).copy()
        offset = objective.data.offset
        return Losses(
            matrix, objective.data.y.cpu().numpy().astype(np.float64), share, objective.loss.name, ridge, lasso,
            None if offset is None else offset.cpu().numpy().astype(np.float64),
        )  # fmt: skip

    def scores(self, w: Array) -> Array:
        """Scores of the rows, (n,), offset included."""
        z = self.matrix.apply(w)
        return z if self.offset is None else z + self.offset

    @cached_property
    def _whole(self) -> tuple[Matrix, Array, Array, Array | None]:
        """The matrix with a row for each coefficient that has an L1 strength, and labels, shares and offset for it."""
        if self.lasso is None:
            return self.matrix, self.label, self.share, self.offset
        none = np.zeros(len(self.lasso))
        offset = None if self.offset is None else np.concatenate([self.offset, none])
        labels, shares = np.concatenate([self.label, none + 1]), np.concatenate([self.share, none])
        return WithCoefficients(self.matrix), labels, shares, offset

    def program(
        self, row: Array, side: Array, kink: Array, cost: Array, uses: Array, budget: Array, price: float = PRICE,
    ) -> Program:
        """The loss with further pieces at the end, whose (K, m) ``uses`` of the budgets are given; see ``Program``.

        An L1 penalty is two hinges of each coefficient, max(0, w) + max(0, -w).
        """
        n = len(self.label)
        matrix, labels, shares, offset = self._whole
        lead = [np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)]  # row, side, kink, cost, bend
        if self.kind != "logistic":
            own = np.zeros(n)
            linear, square = (self.share, own) if self.kind == "hinge" else (own, self.share)
            lead = [np.arange(n), self.label, np.ones(n), linear, square]
        if self.lasso is not None:
            p = len(self.lasso)
            none = np.zeros(2 * p)
            units = [np.tile(n + np.arange(p), 2), np.repeat([1.0, -1.0], p), none, np.tile(self.lasso, 2), none]
            lead = [np.concatenate(pair) for pair in zip(lead, units)]
        m = len(lead[0])
        given = (row, side, kink, cost, np.zeros(len(row)))
        pieces = [np.concatenate(pair) for pair in zip(lead, given)]
        used = np.concatenate([np.zeros((len(budget), m)), uses], axis=1) if m else uses
        logistic = self.kind == "logistic"
        return Program(
            matrix, pieces[0], pieces[1], pieces[2], pieces[3], pieces[4], used, budget, self.ridge, price,
            shares if logistic else None, labels if logistic else None, offset,
        )  # fmt: skip

    def free(self) -> Program:
        """The loss alone."""
        none = np.zeros(0)
        return self.program(none.astype(int), none, none, none, np.zeros((0, 0)), none)


@dataclass(frozen=True)
class Proxy:
    """The optimum of the proxy.

    solved : weights with the bound, in the matrix's coordinates; None where the hinge bounds cannot be kept.
    multipliers : (K,) of the budgets, zero for those that are no part of the proxy.
    excess : where they cannot be kept, the proven least sum by which they are exceeded; else 0.
    """

    solved: Solved | None
    multipliers: Array
    excess: float = 0.0


def program(losses: Losses, budgets: Budgets, price: float = PRICE) -> Program:
    """The proxy as a program.  Where the loss is the hinge itself its pieces serve the budgets as well."""
    uses = []
    rows = []
    sides = []
    up, down = budgets.up[budgets.convex], budgets.down[budgets.convex]
    budget = budgets.budget[budgets.convex]
    shared = np.zeros((len(budget), len(losses.label)))
    for amount, side in ((up, 1.0), (down, -1.0)):
        used = amount.any(0)
        if losses.kind == "hinge":
            same = used & (losses.label == side)
            shared[:, same] = amount[:, same]
            used &= ~same
        where = np.flatnonzero(used)
        rows.append(where)
        sides.append(np.full(len(where), side))
        uses.append(amount[:, where])
    row, side_of = np.concatenate(rows), np.concatenate(sides)
    q = losses.program(
        row, side_of, np.ones(len(row)), np.zeros(len(row)), np.concatenate(uses, axis=1), budget, price
    )
    if losses.kind == "hinge":
        whole = q.uses.copy()
        whole[:, : shared.shape[1]] = shared  # the loss's own pieces come first
        q = replace(q, uses=whole)
    return q


def optimum(losses: Losses, budgets: Budgets, tol: float = 1e-10, watch: Watch | None = None) -> Proxy:
    """Solve the proxy, or prove that it has no point."""
    multipliers = np.zeros(len(budgets.budget))
    price = PRICE
    while True:
        q = program(losses, budgets, price)
        solved = solve(q, tol=tol, watch=watch)
        over = np.maximum(q.used(solved.w) - q.budget, 0.0)
        if solved.stopped or over.sum() <= 1e-7 or price >= 1e8:
            break
        first = phase_one(q)
        if first.bound > 1e-9:
            multipliers[budgets.convex] = first.lam
            return Proxy(None, multipliers, first.bound)
        price *= 1e3
    multipliers[budgets.convex] = solved.lam
    return Proxy(solved, multipliers)


def phase_one(q: Program) -> Solved:
    """The least sum by which the budgets are exceeded; a bound above zero proves that they cannot all be kept."""
    used = q.uses.any(0)
    zeros = np.zeros(int(used.sum()))
    bare = Program(
        q.matrix, q.row[used], q.side[used], q.kink[used], zeros, zeros, q.uses[:, used], q.budget,
        np.zeros(len(q.ridge)), 1.0, offset=q.offset,
    )  # fmt: skip
    return solve(bare, tol=1e-9)
