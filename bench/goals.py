"""What each problem has to reach: time of the best peer over ours, from one run. The floor is the "at least"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A ratio to reach (`goal`) and one not to fall below (`floor`)."""

    goal: float
    floor: float


GOALS: dict[str, Goal] = {
    "tall": Goal(3, 2),
    "mid": Goal(1.5, 1),
    "bad": Goal(4, 2),
    "wide_l1": Goal(1.5, 1),
    "wide_l2": Goal(1.5, 1),
    "sparse": Goal(2, 1),
    "digits": Goal(1.5, 1),
    "multi": Goal(6, 4),
    "least_squares": Goal(1.5, 1),
    "ridge": Goal(1.5, 1),
    "lasso": Goal(1.5, 1),
    "hinge": Goal(1, 1),
    "squared_hinge": Goal(1.5, 1),
    "iris": Goal(1, 1),
}

GEOMETRIC_MEAN_GOAL = 3.0
MEMORY_GOAL = 0.25
"""Peak memory beside the data, as a share of the data."""
