"""What makes a column unfit to be a feature, said with its row and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .column import Column, parse_number
from .errors import TableError, flag, plural, shown

if TYPE_CHECKING:
    from .table import Table

# What to do about missing cells: in training, in new rows, and in new rows for a model that knows no means.
ADVICE = "--missing drop leaves such rows out, --missing mean fills numbers with the mean of their column"
NEW_ADVICE = "the model was fitted without missing cells; --missing drop leaves such rows out"
NO_MEANS = "the model knows no mean to fill it with, since it was not fitted with --missing mean"

MOST_LEVELS = 50
INDEX_NAMES = frozenset({"rownames", "row_names", "rowid", "unnamed: 0", "index", "x.1"})


def check_usable(column: Column, table: Table, role: str = "column") -> None:
    """Refuse dates, cells that are neither numbers nor text, columns without any cell, and infinite numbers."""
    name, where = column.name, table.source.name
    drop = "" if role == "target" else f", or --drop {flag(name)}"
    if column.kind == "other":
        raise TableError(f"{role} {name!r} of {where} holds {column.detail}: only numbers and text can be used{drop}")
    if column.missing.all():
        raise TableError(f"{role} {name!r} of {where} is empty: every cell is missing{drop.replace(', or', ';')}")
    if column.kind == "date":
        first = int(np.argmax(~column.missing))
        raise TableError(
            f"{role} {name!r} of {where} holds dates such as {shown(column.cell(first))}: derive numbers from them, "
            f"such as the year or the days since a date{drop}"
        )
    if column.kind == "number":
        check_finite(column.values, name, table, role)


def check_finite(
    values: NDArray[np.float64], name: str, table: Table, role: str = "column", *, new: bool = False
) -> None:
    """Refuse an infinite number, with its row; NaN is a missing cell and not looked for here.

    In `new` rows for a model that is there already, leaving out the column is no advice.
    """
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        drop = "" if new or role == "target" else f", or --drop {flag(name)}"
        raise TableError(
            f"{role} {name!r} holds {values[row]:+} in {table.place(row)}: correct the cell "
            f"(a number beyond 1.8e308 counts as infinite){drop}"
        )


def check_text(column: Column, table: Table) -> None:
    """Refuse a text column that is one of numbers with a few texts in it, or that tells every row apart."""
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.levels))
    present = int(counts.sum())
    numeric = np.array([parse_number(level) is not None for level in column.levels], dtype=np.bool_)
    numbers = int(counts[numeric].sum())
    name = column.name
    if numbers * 2 > present and numbers < present:
        row = int(np.argmax((column.values >= 0) & ~numeric[column.values]))
        why = f"{numbers:,} of {plural(present, 'cell')} are numbers"
        otherwise = f"--categorical {flag(name)} takes its cells as categories"
        raise TableError(f"{text_among_numbers(column, row, table, why)} ({otherwise})")
    used = int((counts > 0).sum())
    if (used > MOST_LEVELS and used * 2 > present) or (used == present and present >= 10):
        first = int(np.argmax(column.values >= 0))
        raise TableError(
            f"column {name!r} of {table.source.name} has {used:,} different texts in {present:,} rows, such as "
            f"{shown(column.cell(first))}, as names and identifiers do: --drop {flag(name)}"
        )


def text_among_numbers(column: Column, row: int, table: Table, why: str) -> str:
    """The sentence for a text in `row` of a column of numbers."""
    text = column.cell(row)
    comma = text.replace(",", ".", 1)
    if "," in text and parse_number(comma) is not None:
        how = "write decimals with a point, or pass --decimal ,"
    elif "," in text and parse_number(text.replace(",", "")) is not None:
        how = "write numbers without separators of thousands"
    elif text.endswith("%") or text[:1] in "$€£":
        how = "write numbers without a sign of their unit"
    else:
        how = f"correct the cell, or pass --na {flag(text)} if it means missing"
    return f"column {column.name!r} holds the text {shown(text)} in {table.place(row)}, where {why}: {how}"


def is_row_index(column: Column) -> bool:
    """Whether the column numbers the rows: by its name, or as 1, 2, ..., n (or from 0) for at least ten rows."""
    if column.name.lower() in INDEX_NAMES:
        return True
    if column.kind != "number" or len(column) < 10 or column.values[0] not in (0.0, 1.0):
        return False
    return bool(np.array_equal(column.values - column.values[0], np.arange(len(column), dtype=np.float64)))


def missing_sentence(columns: Sequence[Column], table: Table) -> str:
    """The sentence for missing cells: the first column with their count and first row, and the other columns."""
    column, *others = columns
    gone = column.missing
    count = int(gone.sum())
    also = ""
    if others:
        told = ", ".join(f"{other.name!r} ({int(other.missing.sum()):,})" for other in others[:6])
        also = f"; so have {told}" + (f" and {len(others) - 6} more" if len(others) > 6 else "")
    first = table.place(int(np.argmax(gone)))
    return f"column {column.name!r} has {plural(count, 'missing cell')}, the first in {first}{also}"
