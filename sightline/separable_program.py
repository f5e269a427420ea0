"""The linear programs of separation, with rows added as they are violated (Konis 2007, section 4).

    strict   max τ,  margins >= τ               positive where all margins left can be positive together
    loose    max Σ margins,  margins >= 0       positive where any of them can

over directions in a box; both are relaxed to some of the rows, so a value of zero ends the search at once.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.cone import Cone, Mask
from sightline.exact import Floats

LP_ELEMENTS = 1.5e7  # a linear program with more numbers is not tried
CLEAR = 1e-5  # margins above this count as positive beyond doubt


class Program:
    """The programs on the margins ``left``; ``hint`` are weights under which the rows that bind have low margins."""

    def __init__(self, cone: Cone, left: Mask, hint: Floats | None, deadline: float) -> None:
        self.cone, self.left, self.deadline = cone, left, deadline
        self.places = np.flatnonzero(left.reshape(-1))
        rng = np.random.default_rng(0)
        blocks = max(cone.classes - 1, 1)
        first = min(len(self.places), 2 * cone.size * blocks + 100)
        filled = cone.X.nnz / cone.n if cone.sparse else cone.size
        self.feasible = first * filled * min(blocks, 2) <= LP_ELEMENTS
        self.chosen: NDArray[np.int64] = rng.choice(self.places, first, replace=False)
        if hint is not None:
            m = cone.margins(hint).reshape(-1)[self.places]
            self.chosen = np.union1d(self.chosen, self.places[np.argpartition(m, first - 1)[:first]])
        self.cost = -cone.gathered(left)
        self.unit = max(float(np.abs(self.cost).max()), 1e-300)
        self.cost /= self.unit
        self.lowest = np.full(len(self.cost), -1.0)
        if cone.nonnegative:
            self.lowest[: -1 if cone.intercept else None] = 0.0

    def solve(self, strict: bool) -> Floats | None:
        """A direction (Q, K) in working units that no row left contradicts by more than rounding, or None."""
        while self.feasible and time.perf_counter() < self.deadline:
            V, value = self._relaxed(strict)
            if V is None or value <= CLEAR:
                return None
            m = self.cone.margins(V).reshape(-1)[self.places]
            bad = m < -1e-8
            if not bad.any():
                return V if m.max() > CLEAR else None
            violated = self.places[bad]
            take = max(200, 2 * self.cone.size)
            if len(violated) > take:
                violated = violated[np.argpartition(m[bad], take)[:take]]
            fresh = np.setdiff1d(violated, self.chosen)
            if not len(fresh):
                return None
            self.chosen = np.concatenate([self.chosen, fresh])
        return None

    def _relaxed(self, strict: bool) -> tuple[Floats | None, float]:
        """Solution and value of the program on the chosen rows alone."""
        from scipy.optimize import linprog

        cone = self.cone
        i, k = np.divmod(self.chosen, self.left.shape[1])
        A: Any = cone.constraints(i, k)
        A = A.tocsr() if cone.sparse else A
        equal = cone.equal[i]
        above, fixed = -A[~equal], A[equal]
        cost, low = self.cost, self.lowest
        if strict:
            above, fixed = _with_column(above, 1.0), _with_column(fixed, 0.0)
            cost, low = np.append(np.zeros(len(cost)), -1.0), np.append(low, 0.0)
        done = linprog(
            cost, A_ub=above, b_ub=np.zeros(above.shape[0]), A_eq=fixed, b_eq=np.zeros(fixed.shape[0]),
            bounds=np.column_stack([low, np.ones(len(cost))]), method="highs",
            options={
                "primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10,
                "time_limit": max(0.1, self.deadline - time.perf_counter()),
            },
        )  # fmt: skip
        if done.x is None:
            return None, 0.0
        return (cone.unflat(done.x[:-1]), -done.fun) if strict else (cone.unflat(done.x), -done.fun * self.unit)


def _with_column(A: Any, value: float) -> Any:
    column = np.full((A.shape[0], 1), value)
    if isinstance(A, np.ndarray):
        return np.hstack([A, column])
    import scipy.sparse as sp

    return sp.hstack([A, sp.csr_array(column)], format="csr")
