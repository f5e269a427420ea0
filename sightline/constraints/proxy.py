"""The convex proxy: least loss where hinge bounds keep the rates.

A row's hinge max(0, 1 - t z) is at least 1 where it is on the wrong side, so weights whose hinge sums keep the budgets
keep the rates.  The problem is convex: its optimum has multipliers (what a unit of each budget is worth) and a proven
gap; where the hinge bounds cannot be kept, a combination of them that is out of reach at all weights proves it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sightline.constraints.budgets import Budgets
from sightline.constraints.interior import Solved, Watch, solve
from sightline.constraints.program import Array, DesignRows, Matrix, Program, Rows
from sightline.objective import Objective

COPY_ELEMENTS = 20_000_000  # designs up to this size are copied to float64
LOSSES = ("logistic", "hinge", "squared_hinge")
PRICE = 1e3


@dataclass(frozen=True)
class Losses:
    """The loss's own part of a program, in the coordinates of a matrix.

    matrix : [X, 1].  label : (n,) ±1.  share : (n,) row weights that sum to one.  kind : name of the loss.
    ridge : (p + 1,).
    """

    matrix: Matrix
    label: Array
    share: Array
    kind: str
    ridge: Array

    @staticmethod
    def of(objective: Objective) -> Losses:
        """The loss of an objective of one score without L1, without offset."""
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
        return Losses(matrix, objective.data.y.cpu().numpy().astype(np.float64), share, objective.loss.name, ridge)

    def program(
        self, row: Array, side: Array, kink: Array, cost: Array, uses: Array, budget: Array, price: float = PRICE,
    ) -> Program:
        """The loss with further pieces, whose (K, m) ``uses`` of the budgets are given; see ``Program``."""
        n = len(self.label)
        if self.kind == "logistic":
            return Program(
                self.matrix, row, side, kink, cost, np.zeros(len(row)), uses, budget, self.ridge, price, self.share,
                self.label,
            )
        own = np.zeros(n)
        linear, square = (self.share, own) if self.kind == "hinge" else (own, self.share)
        zeros = np.zeros(len(row))
        return Program(
            self.matrix, np.concatenate([np.arange(n), row]), np.concatenate([self.label, side]),
            np.concatenate([np.ones(n), kink]), np.concatenate([linear, cost]), np.concatenate([square, zeros]),
            np.concatenate([np.zeros((len(budget), n)), uses], axis=1), budget, self.ridge, price,
        )

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
        whole[:, : shared.shape[1]] = shared
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
        np.zeros(len(q.ridge)), 1.0,
    )  # fmt: skip
    return solve(bare, tol=1e-9)
