"""Relaxations of the exact problem: some rows must lie on a side, the others are free.

Whatever predictions h a row's side is fixed to, the closed half-space (z >= 0, or z <= 0) holds the strict one, so the
convex optimum with those half-spaces is a lower bound for all weights with these predictions.  The half-spaces are
pieces of a high cost; should that cost be too low for them to hold, the bound is still one.
"""

from __future__ import annotations

import numpy as np

from sightline.constraints.interior import Solved, Watch, solve
from sightline.constraints.program import Array, Program
from sightline.constraints.proxy import Losses

COST = 5.0  # of a row on its wrong side, beside a mean loss
MARGIN = 1e-8  # by which the rows of a delivered solution keep their side, in the scores


def relaxed(
    losses: Losses, rows: Array, side: Array, *, above: float = np.inf, margin: float = 0.0, tol: float = 1e-8,
    cost: float = COST, rough: float = 0.0, watch: Watch | None = None,
) -> Solved:
    """Least loss with ``side`` z >= margin on ``rows``; the bound is valid whatever ``cost``.  The other arguments are
    those of ``solve``."""
    m = len(rows)
    q = losses.program(rows, side, np.full(m, margin), np.full(m, cost), np.zeros((0, m)), np.zeros(0))
    return solve(q, tol=tol, above=above, rough=rough, watch=watch)


def separable(losses: Losses, rows: Array, side: Array) -> tuple[bool, Solved]:
    """Whether some weights put all ``rows`` on their ``side``, z > 0 or z <= 0; proven where not (a bound above zero).

    By scaling the weights z > 0 may be z >= 1; with an offset it is z >= 0, which proves as well, if less.
    """
    zeros = np.zeros(len(rows))
    kink = zeros if losses.offset is not None else np.where(side > 0, 1.0, 0.0)
    q = Program(
        losses.matrix, rows, side, kink, np.full(len(rows), 1.0 / len(rows)), zeros, np.zeros((0, len(rows))),
        np.zeros(0), np.zeros(len(losses.ridge)), offset=losses.offset,
    )  # fmt: skip
    found = solve(q, tol=1e-6, above=1e-9)
    return not found.bound > 1e-9, found
