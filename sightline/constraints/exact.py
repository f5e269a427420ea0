"""Weights that keep the true rates on the training rows, and a proven bound on the least loss of all that do.

Branch and bound over the rows that may be given up.  A node has rows held to a side and rows given up, whose error is
charged to the budgets; its convex relaxation (``node.relaxed``) is solved with a dual bound, so a node's bound is
proven, not just computed.  A node is split at the row that is furthest on the wrong side: it is held, or given up.
Rows that no budget could still pay for are held at once.  Nodes are taken in the order of their bounds, so the smallest
bound left is at any time a bound for the whole problem.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sightline.constraints.budgets import SLACK, Budgets
from sightline.constraints.interior import Solved
from sightline.constraints.node import relaxed, separable
from sightline.constraints.program import Array
from sightline.constraints.proxy import Losses
from sightline.constraints.search import Incumbent

Report = Callable[[str], bool]
CLOSED = 1e-7  # relative gap at which the search is over: the accuracy of the relaxations' own bounds
SEARCH_EVERY, SEARCH_STEPS = 40, 4  # nodes between two searches for a better solution, and exchanges in each
INTERRUPTION = "interruption"
ON_EDGE = 1e-7  # scores of this size are on the threshold
ROUGH = 0.05  # accuracy of a node that stays, beside its distance from the best solution
TIGHT = 1e-8  # relative gap of a node whose solution is one of the problem
ROUGH_EDGE = 1e-2  # the same for held rows of a node of that accuracy


@dataclass(frozen=True)
class Exact:
    """What is known of the exact problem.

    w : (p + 1,) weights that keep the rates, in the matrix's coordinates; None where none were found.
    value : their objective; inf.  bound : no weights that keep the rates are below; inf where there are none.
    nodes : relaxations solved.  seconds : spent.  stopped : '' where the search ended by itself, else by what.
    """

    w: Array | None
    value: float
    bound: float
    nodes: int
    seconds: float
    stopped: str = ""

    @property
    def gap(self) -> float:
        """value - bound, not below zero; 0 where it is closed to the accuracy of the relaxations."""
        if self.w is None:
            return np.inf
        return max(self.value - self.bound, 0.0)

    @property
    def closed(self) -> bool:
        """The solution is proven to be the best there is."""
        return self.w is not None and self.gap <= 2e-6 * abs(self.value)

    @property
    def infeasible(self) -> bool:
        """It is proven that no weights keep the rates."""
        return self.w is None and self.bound == np.inf


@dataclass(frozen=True)
class _Node:
    """side : (n,) -1, 0, 1: rows held to a side.  given : (n,) booleans: given up.  guide : weights that say which row
    to split at: the relaxation's, or, where that is near zero, ones that put the held rows strictly on their sides.
    tight : solved to full accuracy."""

    side: Array
    given: Array
    solved: Solved
    guide: Array
    tight: bool


def search(
    losses: Losses, budgets: Budgets, starts: list[Array], *, seconds: float = 30.0, report: Report | None = None,
    most: int = 10_000_000,
) -> Exact:
    """Branch and bound.

    starts : weights from which good solutions are sought first.  seconds : limit.  report : called with a line on where
    the search is; True stops it.  most : nodes.
    """
    begun = time.perf_counter()
    best = Incumbent(losses, budgets, begun + seconds)
    tree = _Tree(losses, budgets, best)
    try:
        for w in starts:
            best.thresholds(w)
            if not best.late:
                best.improve(w)
        stopped = tree.run(begun, seconds, report, most)
    except KeyboardInterrupt:  # the bound is that of before the node at hand was taken
        stopped = INTERRUPTION
    return Exact(best.w, best.value, tree.bound, tree.nodes, time.perf_counter() - begun, stopped)


class _Tree:
    """The open nodes."""

    def __init__(self, losses: Losses, budgets: Budgets, best: Incumbent) -> None:
        self.losses, self.budgets, self.best = losses, budgets, best
        self.up_used: Array = np.any(budgets.up, axis=0)
        self.down_used: Array = np.any(budgets.down, axis=0)
        self.open: list[tuple[float, int, _Node]] = []
        self.order = itertools.count()
        self.nodes = 0
        self.unsettled = np.inf  # the least bound of all nodes that were left: too near the best, or not to be split
        self.bound = -np.inf

    def run(self, begun: float, seconds: float, report: Report | None, most: int) -> str:
        """Until the bound meets the best, or a limit is met; by what it was stopped."""
        if time.perf_counter() - begun > seconds:
            return f"the time limit of {seconds:g} s"
        n = len(self.losses.label)
        self._add(np.zeros(n), np.zeros(n, bool), -np.inf)
        again = SEARCH_EVERY
        while self.open:
            self.bound = min(self.open[0][0], self.unsettled)
            if self._near(self.bound):
                self.bound = min(self.bound, self.best.value)
                return ""
            if time.perf_counter() - begun > seconds:
                return f"the time limit of {seconds:g} s"
            if self.nodes >= most:
                return f"{most} nodes"
            if report is not None and report(self._line()):
                return INTERRUPTION
            _, _, node = heapq.heappop(self.open)
            if self.nodes >= again:
                again = self.nodes + SEARCH_EVERY
                self.best.improve(node.solved.w, most=SEARCH_STEPS)
            self._split(node)
        self.bound = min(self.unsettled, self.best.value)
        return ""

    def _line(self) -> str:
        best = f"{self.best.value:.6g}" if self.best.w is not None else "none yet"
        return f"true rates: node {self.nodes} · best {best} · proven above {self.bound:.6g}"

    def _near(self, bound: float) -> bool:
        return self.best.w is not None and bound >= self.best.value - CLOSED * max(abs(self.best.value), 1e-12)

    def _enough(self, bound: float) -> bool:
        """Whether a node of this bound may be left: nothing in it is better than the best by more than is promised."""
        if self._near(bound):
            self.unsettled = min(self.unsettled, bound)
            return True
        return False

    def _add(self, side: Array, given: Array, least: float) -> None:
        """Solve the node and keep it if it may hold something better."""
        forced = self._forced(side, given)
        if forced is None:
            return
        side = forced
        rows = np.flatnonzero(side)
        above = self.best.value if self.best.w is not None else np.inf
        solved = relaxed(
            self.losses, rows, side[rows], above=above, rough=0.0 if np.isinf(above) else ROUGH, watch=self.best.watch
        )
        self.nodes += 1
        bound = max(least, solved.bound)
        if self._enough(bound):
            return
        self.best.offer(solved.w)
        guide = solved.w
        if self.best.w is None and side.min() < 0 < side.max():
            # Weights of zero lie in every closed half-space: only strictly separated rows are a way to a solution.
            possible, found = separable(self.losses, rows, side[rows])
            if not possible:
                return
            guide = found.w
            self.best.offer(guide)
        heapq.heappush(self.open, (bound, next(self.order), _Node(side, given, solved, guide, np.isinf(above))))

    def _forced(self, side: Array, given: Array) -> Array | None:
        """Sides with those added that the budgets no longer let go; None where a budget is broken already."""
        up, down, budget = self.budgets.up, self.budgets.down, self.budgets.budget + SLACK
        two = self.up_used & self.down_used
        against_up = given & (self.up_used & ~two) | (two & (side < 0))
        against_down = given & (self.down_used & ~two) | (two & (side > 0))
        left = budget - up[:, against_up].sum(1) - down[:, against_down].sum(1)
        if (left < 0).any():
            return None
        side = side.copy()
        undecided = (side == 0) & ~given
        must_up = undecided & (up > left[:, None]).any(0)
        must_down = undecided & (down > left[:, None]).any(0)
        if (must_up & must_down).any():
            return None
        side[must_up], side[must_down] = 1.0, -1.0
        if (must_up | must_down).any() and (two & (must_up | must_down)).any():
            return self._forced(side, given)
        return side

    def _split(self, node: _Node) -> None:
        """Hold the row that is furthest on the wrong side, or give it up."""
        bound = max(node.solved.bound, self.bound)
        guide = node.solved.w if self.best.w is not None else node.guide
        z = self.losses.scores(guide)
        h = np.asarray(z > 0)
        two: Array = self.up_used & self.down_used
        # A row on its side's edge counts as held, a free row on the threshold as right.
        edge = np.asarray(np.abs(z) <= ON_EDGE)
        held_edge = edge if node.tight else np.asarray(np.abs(z) <= ROUGH_EDGE)
        h = np.where(held_edge & (node.side > 0), True, np.where(held_edge & (node.side < 0), False, h))
        h = np.where(edge & (node.side == 0) & ~two, self.up_used, h)
        wrong = self.budgets.errors(h) - self.budgets.budget
        k = int(np.argmax(wrong))
        undecided = (node.side == 0) & ~node.given
        amount = np.where(h, self.budgets.down[k], self.budgets.up[k])
        candidates = np.flatnonzero(undecided & (amount > 0)) if wrong[k] > SLACK else np.zeros(0, int)
        if wrong[k] <= SLACK:
            if not node.tight:
                self._tighten(node, bound)
                return
            if guide is not node.solved.w:
                self.best.improve(guide)
                self._push_again(node, bound)
                return
            if self._settle(node, h, bound):
                return
            # On the threshold rows cannot be told apart: split one of those.
            candidates = np.flatnonzero(undecided & edge & (self.up_used | self.down_used))
        if not len(candidates):
            if not node.tight:
                self._tighten(node, bound)
                return
            if not self._impossible(node):
                self.unsettled = min(self.unsettled, bound)
            return
        i = int(candidates[np.argmax(np.abs(z[candidates]) * np.maximum(amount[candidates], 1e-12))])
        for right in (True, False):
            side, given = node.side.copy(), node.given.copy()
            toward = 1.0 if (self.up_used[i] and not two[i]) or (two[i] and not h[i]) else -1.0
            if right:
                side[i] = toward
            elif two[i]:
                side[i] = -toward
            else:
                given[i] = True
                if self._known(side, given, node, bound):
                    continue
            self._add(side, given, bound)

    def _tighten(self, node: _Node, bound: float) -> None:
        """Solve the node to full accuracy and take it up again."""
        rows = np.flatnonzero(node.side)
        solved = relaxed(self.losses, rows, node.side[rows], above=self.best.value, tol=TIGHT, watch=self.best.watch)
        self.nodes += 1
        bound = max(bound, solved.bound)
        if not self._enough(bound):
            self.best.offer(solved.w)
            again = replace(node, solved=solved, guide=solved.w, tight=True)
            heapq.heappush(self.open, (bound, next(self.order), again))

    def _push_again(self, node: _Node, bound: float) -> None:
        """The node, now that there is a solution to compare it with; or what is left of it, where there is none."""
        if self.best.w is None:
            self.unsettled = min(self.unsettled, bound)
        elif not self._enough(bound):
            heapq.heappush(self.open, (bound, next(self.order), node))

    def _known(self, side: Array, given: Array, node: _Node, bound: float) -> bool:
        """Giving a row up changes no relaxation unless it forces others: the solution is taken over."""
        forced = self._forced(side, given)
        if forced is None:
            return True
        if not np.array_equal(forced, node.side):
            return False
        heapq.heappush(self.open, (bound, next(self.order), _Node(side, given, node.solved, node.guide, node.tight)))
        return True

    def _settle(self, node: _Node, h: Array, bound: float) -> bool:
        """The relaxation's solution keeps the rates, up to rows on the threshold: make it strict."""
        self.best.offer(node.solved.w)
        if self._enough(bound):
            return True
        rows = np.flatnonzero(((self.up_used & h) | (self.down_used & ~h)) & (self.up_used | self.down_used))
        self.best.hold(rows, np.where(h[rows], 1.0, -1.0))
        if self._enough(bound):
            return True
        if self.best.value <= node.solved.value + 1e-6 * abs(node.solved.value):
            self.unsettled = min(self.unsettled, bound)
            return True
        return False

    def _impossible(self, node: _Node) -> bool:
        """Whether the node's rows are proven not to lie strictly on their sides under any weights."""
        rows = np.flatnonzero(node.side)
        return len(rows) > 0 and not separable(self.losses, rows, node.side[rows])[0]
