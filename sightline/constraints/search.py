"""Good solutions of the exact problem: thresholds, and exchanges of the rows that are given up."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from sightline.constraints.budgets import SLACK, Budgets
from sightline.constraints.node import MARGIN, relaxed
from sightline.constraints.program import Array, Program
from sightline.constraints.proxy import Losses

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
MOST_THRESHOLDS = 400


@dataclass
class Incumbent:
    """The best weights found that keep the true rates: ``w`` (p + 1,) in the matrix's coordinates, or None."""

    losses: Losses
    budgets: Budgets
    deadline: float
    w: Array | None = None
    value: float = np.inf
    tried: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.free: Program = self.losses.free()

    @property
    def late(self) -> bool:
        """The time is over."""
        return time.perf_counter() > self.deadline

    def watch(self, step: int, w: Array, value: float, bound: float) -> bool:
        """Stops a solver when the time is over."""
        return self.late

    def offer(self, w: Array) -> bool:
        """Take w if it keeps the rates at a lower loss; whether it did."""
        value = self.free.objective(w)
        if value < self.value and self.budgets.kept(self.losses.scores(w) > 0):
            self.w, self.value = w.copy(), value
            return True
        return False

    def thresholds(self, w: Array) -> None:
        """Offer w at several scales with every threshold that keeps the rates, and what moving from there gives."""
        z = self.losses.scores(w)
        if not np.ptp(z) > 0:
            z = np.zeros_like(z)
        levels = np.unique(z)
        cuts = np.concatenate([[levels[0] - 1.0], 0.5 * (levels[1:] + levels[:-1]), [levels[-1] + 1.0]])
        if len(cuts) > MOST_THRESHOLDS:
            cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, MOST_THRESHOLDS).astype(int))]
        good = [t for t in cuts if self.budgets.kept(z > t)]
        if not good or self.losses.ridge[-1] != 0:
            self.offer(w)
            return
        best = None
        for t in {min(good, key=abs), good[0], good[-1]}:
            for scale in SCALES:
                moved = scale * w
                moved[-1] -= scale * t
                if scale == 0:
                    continue
                if self.offer(moved):
                    best = moved
        if best is not None:
            self.improve(best)

    def sides(self, w: Array, order: Array | None = None) -> tuple[Array, Array] | None:
        """Rows to hold so that the budgets are kept by these rows alone, and their sides; None where w is too far.

        Rows are given up from the furthest on the wrong side, as long as the budgets allow.
        """
        z = self.losses.scores(w) if order is None else order
        up, down = self.budgets.up, self.budgets.down
        left = self.budgets.budget + SLACK
        wants_up, wants_down = up.any(0), down.any(0)
        both = wants_up & wants_down
        side = np.where(both, np.where(z > 0, 1.0, -1.0), np.where(wants_up, 1.0, -1.0))
        left = left - (up[:, both & (z <= 0)].sum(1) + down[:, both & (z > 0)].sum(1))
        if (left < 0).any():
            return None
        single = np.flatnonzero((wants_up | wants_down) & ~both)
        held = [int(i) for i in np.flatnonzero(both)]
        for i in single[np.argsort(side[single] * z[single])]:
            charge = up[:, i] if side[i] > 0 else down[:, i]
            if (charge <= left).all():
                left = left - charge
            else:
                held.append(int(i))
        rows = np.array(sorted(held), dtype=int)
        return rows, side[rows]

    def hold(self, rows: Array, side: Array) -> Array | None:
        """Offer the least loss with these rows on their sides; the multipliers of the rows, or None if known."""
        key = rows.tobytes() + side.tobytes()
        if key in self.tried:
            return None
        self.tried.add(key)
        best = relaxed(self.losses, rows, side, above=self.value, margin=MARGIN, tol=1e-11, watch=self.watch)
        self.offer(best.w)
        return best.alpha[len(best.alpha) - len(rows) :] if len(rows) else np.zeros(0)

    def improve(self, w: Array, most: int = 30) -> None:
        """Hold what w holds, then exchange the row that costs most for one that is given up, while that helps."""
        held = self.sides(w)
        if held is None or self.late:
            return
        before = np.inf
        for _ in range(most):
            prices = self.hold(*held)
            if prices is None or self.late or self.w is None or not self.value < before - 1e-9 * abs(self.value):
                return
            before = self.value
            z = self.losses.scores(self.w)
            order = z.copy()
            # The three most expensive rows, one after the other, become the first to be given up.
            for j in np.argsort(-prices)[:3]:
                i = held[0][j]
                trial = order.copy()
                trial[i] = -1e9 * held[1][j]
                other = self.sides(self.w, trial)
                if other is None or self.late:
                    continue
                if self.hold(*other) is not None and self.value < before - 1e-9 * abs(self.value):
                    held = other
                    break
            else:
                return
