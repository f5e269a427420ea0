"""The frontier: what each level of a constraint costs.

At every level the convex proxy is solved to a proven gap, and weights that meet the true rates are sought for a
moment, with a proven bound on the least loss of all that do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sightline.constraints.exact import search
from sightline.constraints.interior import solve
from sightline.constraints.problem import Problem
from sightline.constraints.proxy import optimum

POINTS = 13
SECONDS = 5.0  # spent on the search for true rates, all levels together


@dataclass(frozen=True)
class Frontier:
    """Levels of one constraint, the others as they are, and what they cost.

    constraint : in words, at the chosen level.  levels : (m,).  proxy, gap : (m,) objective of the convex proxy and its
    proven gap; inf where the hinge bounds cannot be kept.  true : (m,) objective of the best weights found that meet
    the true rates; inf where none were.  bound : (m,) proven: no weights that meet them are below; inf where there are
    none.  multiplier : (m,) of the proxy.  free : objective without constraints.
    chosen : the level that was asked for.
    """

    constraint: str
    levels: tuple[float, ...]
    proxy: tuple[float, ...]
    gap: tuple[float, ...]
    true: tuple[float, ...]
    bound: tuple[float, ...]
    multiplier: tuple[float, ...]
    free: float
    chosen: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what does not exist is None."""
        return {
            k: [x if math.isfinite(x) else None for x in v] if isinstance(v, tuple) else v
            for k, v in vars(self).items()
        }


def frontier(problem: Problem, constraint: int = 0, levels: Any = None) -> Frontier:
    """The frontier of one of the problem's constraints.

    constraint : its place in ``subject_to``.  levels : rates from 0 to 1; by default 13 around the chosen one.

    Raises
    ------
    ValueError : no such constraint, or levels outside of [0, 1].
    """
    if not 0 <= constraint < len(problem.constraints):
        raise ValueError(f"constraint={constraint}; there are {len(problem.constraints)}, counted from 0.")
    asked = problem.constraints[constraint]
    chosen = asked.level
    if levels is None:
        tight = 1.0 if asked.sense == ">=" else 0.0
        easy = max(0.0, chosen - 0.4) if asked.sense == ">=" else min(1.0, chosen + 0.4)
        grid = np.linspace(easy, chosen + 0.9 * (tight - chosen), POINTS - 1)
        near = 0.5 * abs(grid[1] - grid[0])
        points = sorted({round(float(v), 6) for v in grid if abs(v - chosen) > near} | {chosen})
    else:
        points = sorted({float(v) for v in levels})
        bad = [v for v in points if not 0 <= v <= 1]
        if bad:
            raise ValueError(f"levels holds {bad[0]:g}; a rate lies between 0 and 1.")
    losses = problem.losses
    start = solve(losses.free(), tol=1e-8)
    rows: list[tuple[float, float, float, float]] = []
    bounds: list[float] = []
    for level in points:
        at = replace(
            problem, constraints=tuple(c.at(level) if c is asked else c for c in problem.constraints)
        )
        proxy = optimum(losses, at.budgets, tol=1e-8)
        starts = [start.w] + ([] if proxy.solved is None else [proxy.solved.w])
        best = search(losses, at.budgets, starts, seconds=SECONDS / len(points))
        bounds.append(max(best.bound, start.bound))
        prices = proxy.multipliers[at.budgets.owner == constraint]
        if proxy.solved is None:
            rows.append((math.inf, math.inf, best.value, math.nan))
        else:
            rows.append((proxy.solved.value, proxy.solved.gap, best.value, float(prices.sum())))
    hinge, gap, true, price = zip(*rows)
    # What meets a tighter level meets an easier one as well.
    step = 1 if asked.sense == ">=" else -1
    best_of = np.minimum.accumulate(np.array(true)[::-step])[::-step]
    # And no easier level's bound is above a tighter one's solutions.
    least = np.maximum.accumulate(np.array(bounds)[::step])[::step]
    return Frontier(
        str(asked), tuple(points), hinge, gap, tuple(best_of.tolist()), tuple(least.tolist()), price, start.value,
        chosen,
    )  # fmt: skip
