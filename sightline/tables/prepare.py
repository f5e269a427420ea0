"""From a table to what a fit needs, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoder import Encoder, Missing, dropped_rows
from .errors import TableError, listing, plural
from .table import Table


@dataclass(frozen=True, eq=False)
class Design:
    """X float64 of shape (n, p), dense or CSR, with the names of its `columns`; y of shape (n,), str, bool, int64 or
    float64, None where the table has no target; the rows of the table (int64, shape (n,)) that they are; the encoder;
    and notes for the person."""

    X: Any
    columns: tuple[str, ...]
    y: NDArray[Any] | None
    rows: NDArray[np.int64]
    encoder: Encoder
    notes: tuple[str, ...] = ()


def prepare(
    table: Table,
    encoder: Encoder | None = None,
    *,
    drop: Sequence[str] = (),
    missing: Missing | None = None,
) -> Design:
    """The matrix and target of a table.

    Without an `encoder` one is fitted on the table, as for training, with `drop` and `missing` as in `Encoder.fit`.
    With one the table is encoded by it, as for prediction, and `missing` is that of training unless named. Rows without
    a target are refused unless it is "drop". Raises TableError as `Encoder.fit`, `Encoder.encode` and `Table.y` do.
    """
    how = missing or (encoder.missing if encoder is not None else "error")
    kept = np.arange(table.n)
    notes: tuple[str, ...] = ()
    used = table
    if table.target is not None and how == "drop" and table.target.missing.any():
        kept = np.flatnonzero(~table.target.missing)
        if not len(kept):
            raise TableError(f"target {table.target.name!r} of {table.source.name} is empty: every cell is missing")
        used = table.take(kept)
        notes = (dropped_rows(table.n - len(kept), table.n, [table.target], table),)
    if used.target is not None:
        used.y()  # what is wrong with the target comes before what is wrong with the features
    if encoder is None:
        encoder = Encoder.fit(used, drop=drop, missing=how)
        encoded = encoder.encode(used)
        notes = encoder.notes + notes
    else:
        encoded = encoder.encode(used, missing=how)
        notes = table.notes + notes
        if encoded.ignored:
            count = plural(len(encoded.ignored), "column")
            notes = (*notes, f"{count} of {table.source.name} not used by the model: {listing(encoded.ignored)}")
    y = None if used.target is None else used.take(encoded.rows).y()
    return Design(encoded.X, encoded.columns, y, kept[encoded.rows], encoder, notes + encoded.notes)
