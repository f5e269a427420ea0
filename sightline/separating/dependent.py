"""Whether margins that are dependent in floats are so exactly."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sightline.cone import Cone, Mask
from sightline.exact import null_vector
from sightline.separable_columns import integer_direction

WIDEST = 400  # weights beyond which it is not examined
MOST = 1e9  # margins × weights × dependent weights beyond which it is not examined
SECONDS = 10.0  # what it may take
ROUNDS = 4


def dependent_exactly(cone: Cone, tight: Mask, columns: NDArray[np.int64], width: int) -> bool:
    """The margins in ``tight`` have no more dimensions than ``columns``, the independent ones of ``width`` weights:
    for each other weight there is a rational direction through it under which all of them are zero, verified."""
    others = np.setdiff1d(np.arange(width), columns)
    places = np.argwhere(tight)
    if cone.shift.any() or width > WIDEST or len(places) * float(width) * len(others) > MOST:
        return False
    deadline = time.perf_counter() + SECONDS
    rng = np.random.default_rng(2)
    chosen = places[rng.choice(len(places), min(len(places), 3 * width + 50), replace=False)]
    for f in others:
        for _ in range(ROUNDS):
            if time.perf_counter() > deadline:
                return False
            rows = np.unique(cone.constraints(chosen[:, 0], chosen[:, 1], user=True), axis=0)
            # One at this weight, zero at the other dependent ones: such directions are independent of each other.
            found = null_vector(rows, np.eye(width)[f])
            if found is None:
                return False
            blocks = [found[b * cone.size : (b + 1) * cone.size] for b in range(width // cone.size)]
            if cone.codes is not None:
                blocks.insert(0, [0 * found[0]] * cone.size)
            signs = cone.verdicts(integer_direction([list(row) for row in zip(*blocks)]), tight)
            wrong = np.argwhere(signs != 0)
            if not len(wrong):
                break
            chosen = np.concatenate([chosen, wrong[: width + 20]])
        else:
            return False
    return True
