"""One named column as it was read: numbers, booleans, texts, dates, or something that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .dates import are_dates

Kind = Literal["number", "boolean", "text", "date", "other"]

# What files write for "not there". Compared after blanks around a cell are removed.
MISSING_MARKS = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "N/A", "n/a", "NA", "<NA>", "NULL", "null"}
    | {"NaN", "nan", "-NaN", "-nan", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN"}
)

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, eq=False)
class Column:
    """A named column of n cells.

    `values` is float64 of shape (n,) for the kinds "number" and "boolean", NaN where a cell is missing. For "text" and
    "date" it is int32 of shape (n,), each cell's position in the sorted tuple `levels`, -1 where a cell is missing. The
    kind "other" (lists, bytes, mixed objects) has no usable values; `detail` says what it holds.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    detail: str = ""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Whether each cell is missing: bool, shape (n,)."""
        if self.kind in ("number", "boolean"):
            return np.asarray(np.isnan(self.values), dtype=np.bool_)
        return np.asarray(self.values < 0, dtype=np.bool_)

    def cell(self, row: int) -> str:
        """The cell in row `row` (from 0) as text."""
        value = self.values[row]
        if self.kind in ("text", "date"):
            return self.levels[int(value)] if value >= 0 else ""
        if self.kind == "boolean":
            return "" if np.isnan(value) else str(bool(value))
        return "" if np.isnan(value) else number_text(float(value))

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The cells in `rows`, with the same levels."""
        return replace(self, values=self.values[rows])

    def labels(self) -> NDArray[Any]:
        """The cells as an array of labels, shape (n,): str, bool, int64 where every number is whole, else float64.

        Missing cells must have been taken out before.
        """
        if self.kind in ("text", "date"):
            return np.asarray(np.asarray(self.levels, dtype=np.str_)[self.values])
        if self.kind == "boolean":
            return self.values.astype(np.bool_)
        if is_whole(self.values):
            return self.values.astype(np.int64)
        return self.values


def is_whole(values: NDArray[np.float64]) -> bool:
    """Whether every number is whole and float64 tells it from its neighbours."""
    return bool(np.all(np.isfinite(values)) and np.all(values == np.rint(values)) and np.all(np.abs(values) <= 2.0**53))


def number_text(value: float) -> str:
    """The shortest text of a number, a whole one without a point."""
    if value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value)


def parse_number(text: str) -> float | None:
    """The number that `text` writes, or None."""
    stripped = text.strip()
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def from_numbers(name: str, values: Any, *, boolean: bool = False) -> Column:
    """A column of numbers (or booleans) from anything NumPy turns into float64; NaN is missing."""
    return Column(name, "boolean" if boolean else "number", np.ascontiguousarray(values, dtype=np.float64))


def from_texts(
    name: str, cells: Iterable[str | None], *, absent: frozenset[str] = frozenset({""}), categorical: bool = False
) -> Column:
    """A column from texts; None and the texts in `absent` are missing. Blanks around a text do not count.

    A column in which every text is a number becomes one of numbers, and one in which nearly every text is a date one of
    dates, unless `categorical` asks for the texts themselves.
    """
    first: dict[str | None, int] = {}
    codes = np.fromiter((first.setdefault(cell, len(first)) for cell in cells), dtype=np.int32)
    texts = [None if cell is None or cell.strip() in absent else cell.strip() for cell in first]
    levels = sort_levels({text for text in texts if text is not None})
    if not categorical:
        numbers = [parse_number(level) for level in levels]
        if all(number is not None for number in numbers):
            table = dict(zip(levels, numbers))
            lookup = np.array([np.nan if text is None else table[text] for text in texts], dtype=np.float64)
            return from_numbers(name, lookup[codes] if len(lookup) else np.empty(0))
    position = {level: code for code, level in enumerate(levels)}
    mapping = np.array([-1 if text is None else position[text] for text in texts], dtype=np.int32)
    values = mapping[codes] if len(mapping) else np.empty(0, dtype=np.int32)
    dates = not categorical and are_dates(levels)
    return Column(name, "date" if dates else "text", values, levels)


def as_categories(column: Column) -> Column:
    """A column of numbers, booleans or dates as one of texts, each distinct value a level."""
    if column.kind in ("text", "other"):
        return column
    if column.kind == "date":
        return replace(column, kind="text")
    present = ~column.missing
    distinct, inverse = np.unique(column.values[present], return_inverse=True)
    texts = [str(bool(v)) if column.kind == "boolean" else number_text(float(v)) for v in distinct]
    codes = np.full(len(column), -1, dtype=np.int32)
    codes[present] = inverse
    return Column(column.name, "text", codes, tuple(texts))


def sort_levels(levels: Iterable[str]) -> tuple[str, ...]:
    """The levels in order: by value where all are numbers (2 before 10), else by their letters."""
    texts = list(levels)
    numbers = [parse_number(text) for text in texts]
    if texts and all(number is not None for number in numbers):
        return tuple(text for _, text in sorted(zip(numbers, texts), key=lambda pair: (pair[0], pair[1])))
    return tuple(sorted(texts))


def match_levels(column: Column, levels: Sequence[str]) -> NDArray[np.int32]:
    """Codes of the cells among `levels`, int32 of shape (n,): -1 for a missing cell, -2 for a text not among them.

    A text that is not there literally is matched by its value as a number (`1`, `1.0` and `01` are one level), since a
    column read alone may have lost the spelling that it had beside others.
    """
    own = as_categories(column)
    exact = {level: code for code, level in enumerate(levels)}
    by_value: dict[float, int] = {}
    for code, level in enumerate(levels):
        value = parse_number(level)
        if value is not None:
            by_value.setdefault(value, code)

    def code_of(text: str) -> int:
        if text in exact:
            return exact[text]
        value = parse_number(text)
        return -2 if value is None else by_value.get(value, -2)

    lookup = np.array([*(code_of(level) for level in own.levels), -1], dtype=np.int32)
    return np.asarray(lookup[own.values], dtype=np.int32)
