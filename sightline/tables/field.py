"""Field: what an encoder remembers of one column of features, and how it turns cells into numbers and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from .checks import check_finite, check_usable, text_among_numbers
from .column import Column, as_categories, from_numbers, match_levels, number_text, parse_number
from .errors import TableError, listing, shown

if TYPE_CHECKING:
    from .table import Table


@dataclass(frozen=True)
class Field:
    """A column of features as it was in training.

    A field of `kind` "number" or "boolean" gives one column of its own name; `mean` takes the place of missing numbers
    where it is not None. A field of kind "text" with the sorted `levels` gives one column `name[level]` for each level
    but the first, which is dropped: all zeros.
    """

    name: str
    kind: Literal["number", "boolean", "text"] = "number"
    levels: tuple[str, ...] = ()
    mean: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that it gives."""
        if self.kind != "text":
            return (self.name,)
        return tuple(f"{self.name}[{level}]" for level in self.levels[1:])

    def numbers(self, column: Column, table: Table) -> NDArray[np.float64]:
        """The cells of a number or boolean field, float64 of shape (n,), NaN where missing and no mean is known.

        Raises TableError for text or infinite numbers, with the row.
        """
        check_kind(column, table)
        if column.kind in ("text", "date"):
            parsed = [parse_number(level) for level in column.levels]
            lookup = np.array([np.nan if value is None else value for value in parsed] + [np.nan])
            wrong = np.isnan(lookup[column.values]) & (column.values >= 0)
            if wrong.any():
                row = int(np.argmax(wrong))
                kind = "truth values" if self.kind == "boolean" else "numbers"
                raise TableError(text_among_numbers(column, row, table, f"the model was fitted on {kind}"))
            column = from_numbers(column.name, lookup[column.values])
        check_finite(column.values, column.name, table, new=True)
        if self.mean is None:
            return np.asarray(column.values, dtype=np.float64)
        return np.where(np.isnan(column.values), self.mean, column.values)

    def codes(self, column: Column, table: Table) -> NDArray[np.int32]:
        """The position of each cell among the levels, int32 of shape (n,), -1 where missing.

        Raises TableError for a level that was not there in training, with the row.
        """
        check_kind(column, table)
        categories = as_categories(column)
        codes = match_levels(categories, self.levels)
        unseen = codes == -2
        if unseen.any():
            row = int(np.argmax(unseen))
            raise TableError(
                f"column {column.name!r} holds {shown(categories.cell(row))} in {table.place(row)}, a level that was "
                f"not there when the model was fitted: it knows {listing(self.levels)}"
            )
        return codes

    def decode(self, block: NDArray[np.float64]) -> list[Any]:
        """The cells that encode to `block`, float64 of shape (n, columns): floats, booleans or texts."""
        if self.kind == "boolean":
            return [bool(value) for value in block[:, 0]]
        if self.kind == "number":
            return [float(value) for value in block[:, 0]]
        return [self.levels[int(np.argmax(row)) + 1 if row.any() else 0] for row in block]

    def to_json(self) -> Any:
        """The field as JSON: its name alone for plain numbers."""
        if self.kind == "number" and self.mean is None:
            return self.name
        told: dict[str, Any] = {"name": self.name, "kind": self.kind}
        if self.kind == "text":
            told["levels"] = list(self.levels)
        if self.mean is not None:
            told["mean"] = self.mean
        return told

    @classmethod
    def from_json(cls, told: Any) -> Field:
        """The field of `to_json`; TableError for anything else."""
        if isinstance(told, str):
            return cls(told)
        if not isinstance(told, dict) or set(told) - {"name", "kind", "levels", "mean"}:
            raise TableError(f"a field of an encoder is a name or a dict, not {shown(told)}")
        name, kind, levels, mean = (told.get(key) for key in ("name", "kind", "levels", "mean"))
        text = kind == "text" and isinstance(levels, list) and 0 < len(levels) == len(set(map(str, levels)))
        plain = kind in ("number", "boolean") and levels is None
        number = mean is None or (kind == "number" and type(mean) in (int, float) and bool(np.isfinite(mean)))
        if not isinstance(name, str) or not (text or plain) or not number:
            raise TableError(f"a field of an encoder is damaged: {shown(told, 120)}")
        if text and not all(isinstance(level, str) for level in levels or ()):
            raise TableError(f"the levels of {name!r} are not all text: {shown(levels, 120)}")
        what: Literal["number", "boolean", "text"] = "text" if text else "boolean" if kind == "boolean" else "number"
        return cls(name, what, tuple(levels or ()), None if mean is None else float(mean))


def check_kind(column: Column, table: Table) -> None:
    """Refuse, where a model is applied, cells that are neither numbers nor text."""
    if column.kind == "other" or (column.kind == "date" and not column.levels):
        check_usable(column, table)


def fitted_field(column: Column, *, mean: bool) -> Field:
    """The field of a training column that `checks` has found usable."""
    if column.kind == "text":
        used = np.unique(column.values[column.values >= 0])
        return Field(column.name, "text", tuple(column.levels[int(code)] for code in used))
    if column.kind == "boolean":
        return Field(column.name, "boolean")
    return Field(column.name, "number", mean=finite_mean(column.values) if mean else None)


def finite_mean(values: NDArray[np.float64]) -> float:
    """The mean of the cells that are there; scaled, so that a sum of large numbers does not overflow."""
    present = values[~np.isnan(values)]
    scale = float(np.abs(present).max(initial=0.0))
    return float((present / scale).mean() * scale) if scale > 0 else 0.0


def constant_value(column: Column) -> str | None:
    """The one value of a column whose cells are all alike, as text; None where they differ."""
    present = column.values[~column.missing]
    if not len(present) or not bool((present == present[0]).all()):
        return None
    if column.kind == "text":
        return column.levels[int(present[0])]
    return str(bool(present[0])) if column.kind == "boolean" else number_text(float(present[0]))
