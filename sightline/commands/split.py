"""Rows held out for testing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.tables import Encoder, Table, TableError

Mask = NDArray[np.bool_]


def held_out(y: NDArray[Any], share: float, seed: int, classes: bool) -> Mask:
    """Which rows are held out, bool (n,): the share of all, or of each class, of which one row stays at least."""
    if not 0 < share < 1:
        raise TableError(f"--test-size is {share:g}: it is the share of the rows held out, between 0 and 1")
    if seed < 0:
        raise TableError(f"--seed is {seed}: it must not be negative")
    random = np.random.default_rng(seed)
    test = np.zeros(len(y), dtype=np.bool_)
    codes = np.unique(y, return_inverse=True)[1] if classes else np.zeros(len(y), dtype=np.int64)
    for code in range(int(codes.max(initial=0)) + 1):
        rows = np.flatnonzero(codes == code)
        count = min(round(share * len(rows)), len(rows) - 1)
        test[random.permutation(rows)[:count]] = True
    if not test.any():
        raise TableError(f"--test-size {share:g} of {len(y)} rows is none: hold out a larger share")
    return test


def with_all_levels(test: Mask, table: Table, encoder: Encoder) -> tuple[Mask, int]:
    """The held-out rows without those that have a level of text no other row has, and the number of those.

    table : the rows of ``test``; encoder : fitted on all of them.
    """
    alone = np.zeros(len(test), dtype=np.bool_)
    for field in encoder.fields:
        if field.kind != "text":
            continue
        codes = field.codes(table.column(field.name), table)
        known = np.zeros(len(field.levels) + 1, dtype=np.bool_)
        known[codes[~test & (codes >= 0)]] = True
        alone |= test & (codes >= 0) & ~known[codes]
    return test & ~alone, int(alone.sum())
