"""The constraints that `sightline fit --require` states, groups found in the columns of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.constraints.rates import Constraint, parse
from sightline.tables import Table, TableError
from sightline.tables.errors import listing

CONFIDENCE = 0.95  # of the guarantee that is told where none was asked for


def check_confidence(confidence: float | None, require: Sequence[str]) -> None:
    """TableError for --confidence without --require, or outside of (0, 1)."""
    if confidence is None:
        return
    if not require:
        raise TableError("--confidence belongs to --require: it says how sure the rates are to hold on new data")
    if not 0 < confidence < 1:
        raise TableError(f"--confidence is {confidence:g}: it is a probability between 0 and 1, such as 0.95")


def constraints_of(texts: Sequence[str], table: Table, rows: Any) -> list[Constraint] | None:
    """The constraints, groups as masks over the chosen ``rows`` of the table; None where there are none.

    Raises
    ------
    TableError : a text that is no constraint, or a column or value that is not there.
    """
    if not texts:
        return None

    def group(column: str, value: str) -> Any:
        found = table.column(column)
        cells = [found.cell(int(row)) for row in rows]
        same = np.array([cell == value for cell in cells])
        if not same.any():
            known = listing(sorted(set(cells)), 6)
            raise TableError(f"--require: no row has {column} = {value!r}; column {column!r} holds {known}")
        return same

    try:
        return [parse(text, group) for text in texts]
    except TableError:
        raise
    except ValueError as error:
        raise TableError(f"--require {error}") from None
