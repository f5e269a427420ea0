"""Encoder: from the columns of a table to the design matrix, the same way for training and for new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .checks import ADVICE, NEW_ADVICE, NO_MEANS, check_text, check_usable, is_row_index, missing_sentence
from .column import Column
from .errors import TableError, closest, flag, listing, plural, shown
from .field import Field, constant_value, fitted_field
from .matrix import Encoded, assemble, encode_matrix, fit_matrix
from .table import Table

Missing = Literal["error", "drop", "mean"]
MISSING: tuple[Missing, ...] = ("error", "drop", "mean")
_VERSION = 1
_MEAN_ADVICE = "a mean fills numbers only; --missing drop leaves such rows out"


@dataclass(frozen=True)
class Encoder:
    """How a table becomes a matrix.

    `fields` are the columns of features in the order of training; `missing` says what becomes of rows with missing
    cells: refused ("error"), left out ("drop"), or their numbers filled with the training mean ("mean"). `notes` are
    sentences about what was noticed in training. It is made by `Encoder.fit`, applied by `encode`, and saved as the
    dict of `to_dict`.
    """

    fields: tuple[Field, ...]
    missing: Missing = "error"
    notes: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the matrix."""
        return tuple(name for field in self.fields for name in field.columns)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that a table must have."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def categorical(self) -> tuple[str, ...]:
        """The names of the columns of text: pass them to `read(categorical=...)` so that `01` stays `01`."""
        return tuple(field.name for field in self.fields if field.kind == "text")

    @cached_property
    def dropped(self) -> dict[str, str]:
        """The dropped level of each column of text: the one whose rows are all zeros."""
        return {field.name: field.levels[0] for field in self.fields if field.kind == "text"}

    @classmethod
    def fit(cls, table: Table, *, drop: Sequence[str] = (), missing: Missing = "error") -> Encoder:
        """The encoder of the training rows in `table`, without the columns named in `drop`.

        Raises TableError for a column that is not there, dates, text in a column of numbers, texts that tell every row
        apart, columns that are empty or hold infinite numbers, and missing cells that `missing` does not deal with.
        """
        checked(missing)
        for name in drop:
            table.column(name)
        kept = tuple(name for name in table.names if name not in set(drop))
        if not kept:
            raise TableError(f"{table.source.name} has no columns of features left besides the target and the dropped")
        if table.matrix is not None:
            means, notes = fit_matrix(table, kept, missing)
            return cls(tuple(Field(name, mean=mean) for name, mean in zip(kept, means)), missing, notes)
        columns = [table.column(name) for name in kept]
        for column in columns:
            check_usable(column, table)
            if column.kind == "text":
                check_text(column, table)
        rows = _complete_rows(columns, table, missing)
        used = table if rows is None else table.take(rows)
        columns = [used.column(name) for name in kept]
        fields = tuple(fitted_field(column, mean=missing == "mean") for column in columns)
        if not any(field.columns for field in fields):
            raise TableError(f"every column of {table.source.name} holds one text only: there is nothing to fit")
        encoder = cls(fields, missing, table.notes + _notes(columns))
        if len(set(encoder.columns)) < len(encoder.columns):
            double = next(name for name in encoder.columns if encoder.columns.count(name) > 1)
            raise TableError(f"two columns of {table.source.name} become {double!r}: rename one")
        return encoder

    def encode(self, table: Table, *, missing: Missing | None = None) -> Encoded:
        """The rows of `table` as a matrix with the columns of this encoder, matched by name in any order.

        X is float64 of shape (n, p), dense, or CSR where it is sparse or mostly zeros and large; `rows` (int64) are the
        rows of the table that it holds: all of them, unless `missing` is "drop" (None is the way of training). Raises
        TableError for columns that are not there, levels that were not seen in training, text where numbers were, and
        infinite and missing cells.
        """
        missing = self.missing if missing is None else checked(missing)
        ignored = self._match(table)
        if table.matrix is not None and not self.categorical:
            return encode_matrix(table, self.fields, missing, ignored)
        filled = self._filled if missing == "mean" else frozenset()
        unfilled = [table.column(name) for name in self.names if name not in filled]
        gone = [column for column in unfilled if column.missing.any()]
        rows = np.arange(table.n)
        notes: tuple[str, ...] = ()
        if gone and missing == "drop":
            rows = np.flatnonzero(~np.logical_or.reduce([column.missing for column in gone]))
            if len(rows) == 0:
                raise TableError(f"every row of {table.source.name} has a missing cell: there is nothing left")
            notes = (dropped_rows(table.n - len(rows), table.n, gone, table),)
            table = table.take(rows)
        elif gone:
            advice = NEW_ADVICE
            if missing == "mean":
                numbers = all(column.kind == "number" for column in gone)
                advice = NO_MEANS if numbers and not self._filled else _MEAN_ADVICE
            raise TableError(f"{missing_sentence(gone, table)}: {advice}")
        parts = [
            (field.codes if field.kind == "text" else field.numbers)(table.column(field.name), table)
            for field in self.fields
        ]
        return Encoded(assemble(self.fields, parts, len(rows)), self.columns, rows, notes, ignored)

    @cached_property
    def _filled(self) -> frozenset[str]:
        """The columns whose missing cells a mean takes the place of."""
        return frozenset(field.name for field in self.fields if field.mean is not None)

    def decode(self, X: Any) -> dict[str, list[Any]]:
        """The cells of the rows of X, shape (n, p), by column name: floats, booleans and texts."""
        dense = np.asarray(X.todense() if hasattr(X, "todense") else X, dtype=np.float64)
        if dense.ndim != 2 or dense.shape[1] != len(self.columns):
            raise TableError(f"a matrix of {len(self.columns)} columns is needed, not of the shape {dense.shape}")
        cells, start = {}, 0
        for field in self.fields:
            stop = start + len(field.columns)
            cells[field.name] = field.decode(dense[:, start:stop])
            start = stop
        return cells

    def _match(self, table: Table) -> tuple[str, ...]:
        """Refuse a table without the columns of training; the names of those it has besides."""
        where = table.source.name
        absent = [name for name in self.names if name not in table]
        if table.unnamed:
            expected, found = len(self.names), len(table.names)
            if absent and found > 0 and not any(name in table for name in self.names):
                raise TableError(
                    f"{where} has no column names, and the model needs {listing(self.names)}: save it as CSV or Parquet"
                )
            if found != expected and self.names == tuple(f"x{i + 1}" for i in range(expected)):
                raise TableError(f"{where} has {plural(found, 'column')}, and the model was fitted on {expected:,}")
        if absent and not table.sparse_index:
            raise TableError(_absent(absent, table, set(self.names)))
        if absent and len(absent) == len(self.names):
            raise TableError(f"{where} has none of the columns of the model: {listing(self.names)}")
        known = set(self.names)
        return tuple(name for name in table.names if name not in known)

    def to_dict(self) -> dict[str, Any]:
        """The encoder as a dict that JSON can hold."""
        return {
            "version": _VERSION,
            "missing": self.missing,
            "fields": [field.to_json() for field in self.fields],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Encoder:
        """The encoder that `to_dict` wrote; TableError for anything else."""
        if not isinstance(told, Mapping) or told.get("version") != _VERSION:
            raise TableError("this is no encoder of a table, or one of a newer version of Sightline")
        fields, missing, notes = told.get("fields"), told.get("missing"), told.get("notes", [])
        if not isinstance(fields, list) or not fields or missing not in MISSING or not isinstance(notes, list):
            raise TableError("the encoder of the table is damaged")
        encoder = cls(tuple(Field.from_json(field) for field in fields), missing, tuple(str(note) for note in notes))
        if len(set(encoder.names)) < len(fields):
            raise TableError("the encoder of the table is damaged: a column is in it twice")
        return encoder


def checked(missing: str) -> Missing:
    """`missing` where it is a way to deal with missing cells; TableError otherwise."""
    for way in MISSING:
        if missing == way:
            return way
    raise TableError(f"missing cells are dealt with by {listing(MISSING)}, not {shown(missing)}")


def _complete_rows(columns: Sequence[Column], table: Table, missing: Missing) -> NDArray[np.int64] | None:
    """The rows to fit on: None for all. TableError for missing cells that are not dealt with."""
    gone = [column for column in columns if column.missing.any()]
    if not gone:
        return None
    if missing == "drop":
        complete = ~np.logical_or.reduce([column.missing for column in gone])
        if not complete.any():
            raise TableError(f"every row of {table.source.name} has a missing cell: --drop the columns with the most")
        return np.flatnonzero(complete)
    if missing == "error" or any(column.kind != "number" for column in gone):
        raise TableError(_missing_error(gone, table, missing))
    return None


def _missing_error(gone: Sequence[Column], table: Table, missing: Missing) -> str:
    if missing == "mean":
        text = [column for column in gone if column.kind != "number"] or list(gone)
        return (
            f"{missing_sentence(text, table)}: {_MEAN_ADVICE}, --drop {flag(text[0].name)} the column"
        )
    return f"{missing_sentence(gone, table)}: {ADVICE}"


def dropped_rows(count: int, n: int, gone: Sequence[Column], table: Table) -> str:
    """The note about rows that were left out."""
    verb = "was" if count == 1 else "were"
    return f"{count:,} of {n:,} rows {verb} left out: {missing_sentence(gone, table)}"


def _absent(absent: Sequence[str], table: Table, known: set[str]) -> str:
    free = [name for name in table.names if name not in known]
    hints = [(name, closest(name, free)) for name in absent]
    near = next(((name, hint) for name, hint in hints if hint is not None), None)
    hint = "" if near is None else f"; is {near[1]!r} meant to be {near[0]!r}?"
    word = "the column" if len(absent) == 1 else f"{len(absent)} columns"
    return f"{table.source.name} lacks {word} that the model needs: {listing(absent)}{hint}"


def _notes(columns: Sequence[Column]) -> tuple[str, ...]:
    """What a person would want to know about the columns before trusting a model of them."""
    notes = []
    for column in columns:
        value = constant_value(column)
        if value is not None:
            what = "gives no column" if column.kind == "text" else "tells the model nothing"
            notes.append(f"column {column.name!r} holds {shown(value)} in every row: it {what}")
        elif is_row_index(column):
            notes.append(f"column {column.name!r} seems to number the rows: --drop {flag(column.name)} if so")
        mark = next((level for level in column.levels if not any(map(str.isalnum, level))), None)
        if mark is not None and column.kind == "text":
            notes.append(
                f"column {column.name!r} has the text {shown(mark)}, taken as a category: "
                f"--na {flag(mark)} if it means missing"
            )
    return tuple(notes)
