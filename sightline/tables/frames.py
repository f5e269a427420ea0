"""Frames of pandas, polars, pyarrow and others, through narwhals, as tables."""

from __future__ import annotations

import datetime
import decimal
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .column import Column, as_categories, from_numbers, from_texts, parse_number
from .errors import TableError, flag, listing, plural, shown, unknown_column
from .table import Source, Table


def frame_columns(obj: Any) -> tuple[str, ...] | None:
    """The column names of a pandas, polars, pyarrow or other frame as text, or None for anything else."""
    import narwhals as nw

    frame = nw.from_native(obj, pass_through=True, eager_only=False)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame):
        return None
    names = frame.columns if isinstance(frame, nw.DataFrame) else frame.collect_schema().names()
    return tuple(str(name) for name in names)


def from_frame(
    frame: Any,
    *,
    target: str | None = None,
    categorical: Sequence[str] = (),
    na: Sequence[str] = (),
    name: str = "the frame",
    marks: frozenset[str] = frozenset({""}),
    source: Source | None = None,
) -> Table:
    """See `Table.from_frame`; `marks` are the texts that mean a missing cell, besides `na`."""
    import narwhals as nw

    place = source or Source(name)
    try:
        wrapped = nw.from_native(frame, pass_through=True)
    except Exception as error:  # narwhals refuses double names here, with an error of its own
        raise TableError(f"{place.name} cannot be read: {' '.join(str(error).split())}") from error
    if isinstance(wrapped, nw.LazyFrame):
        raise TableError(f"{place.name} is lazy: pass frame.collect()")
    if not isinstance(wrapped, nw.DataFrame):
        raise TableError(f"{place.name} is a {type(frame).__name__}, not a frame of pandas, polars or pyarrow")
    if any(isinstance(given, tuple) for given in wrapped.columns):
        raise TableError(f"{place.name} has column names of several levels: join them into one text each")
    names = check_names([str(given).strip() for given in wrapped.columns], place.name)
    if len(wrapped) == 0:
        raise TableError(f"{place.name} has columns but no rows")
    for asked in categorical:
        if asked not in names and asked != target:
            raise unknown_column(asked, names, place.name)
    absent = marks.union(na)
    codes = [number for text in na if (number := parse_number(text)) is not None]
    columns, notes = [], []
    for series, text in zip(wrapped.iter_columns(), names):
        if text == "":  # only the first may be: the row names that R writes
            notes.append(f"{place.name}: the first column has no name: left out as row names")
            continue
        column = _column(series, text, absent, text in categorical)
        if codes and column.kind == "number" and np.isin(column.values, codes).any():
            column = from_numbers(text, np.where(np.isin(column.values, codes), np.nan, column.values))
        columns.append(column)
        if column.kind == "number" and series.dtype in (nw.String, nw.Object):
            otherwise = f"--categorical {flag(text)} takes them as categories"
            notes.append(f"column {text!r} is text that holds only numbers and is read as numbers: {otherwise}")
    if not columns:
        raise TableError(f"{place.name} has no columns besides row names")
    table = Table(place, len(wrapped), columns=tuple(columns), notes=tuple(notes))
    return table.with_target(target)


def check_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """The names as a tuple; TableError when one is double, or empty other than in the first place."""
    counts = Counter(names)
    double = next((name for name in names if counts[name] > 1 and name), None)
    if double is not None:
        places = [str(index + 1) for index, name in enumerate(names) if name == double]
        raise TableError(
            f"{where} has {plural(counts[double], 'column')} named {double!r} (columns {', '.join(places)}): "
            "give each column a name of its own"
        )
    nameless = [index + 1 for index, name in enumerate(names) if not name and index > 0]
    if nameless:
        raise TableError(f"column {nameless[0]} of {where} has no name: name it in the header, or remove it")
    return tuple(names)


def _column(series: Any, name: str, absent: frozenset[str], categorical: bool) -> Column:
    """One narwhals series as a Column."""
    import narwhals as nw

    dtype = series.dtype
    length = len(series)
    if series.null_count() == length:
        return from_numbers(name, np.full(length, np.nan))
    if dtype.is_numeric() or dtype == nw.Boolean:
        column = _numbers(series, name, dtype == nw.Boolean)
        return as_categories(column) if categorical else column
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        strict = categorical or dtype != nw.String
        return from_texts(name, _python(series), absent=absent, categorical=strict)
    if dtype.is_temporal():
        column = from_texts(name, (None if _gone(v) else str(v) for v in series.to_list()), categorical=True)
        return column if categorical else Column(name, "date", column.values, column.levels)
    if dtype in (nw.Object, nw.Unknown):
        return _objects(series.to_list(), name, absent, categorical)
    if dtype == nw.Binary:
        return _unusable(name, length, "bytes that are no text")
    return _unusable(name, length, f"cells of type {dtype}")


def _numbers(series: Any, name: str, boolean: bool) -> Column:
    values = series.to_numpy()
    if values.dtype == object:
        values = np.array([np.nan if _gone(value) else float(value) for value in values], dtype=np.float64)
    return from_numbers(name, values, boolean=boolean)


def _python(series: Any) -> Iterable[str | None]:
    return (None if _gone(value) else str(value) for value in series.to_list())


def _objects(cells: Sequence[Any], name: str, absent: frozenset[str], categorical: bool) -> Column:
    """A column of Python objects: text where every cell is text, a number, a truth value or missing."""
    present = [cell for cell in cells if not _gone(cell)]
    if all(isinstance(cell, bool | np.bool_) for cell in present):
        column = from_numbers(name, [np.nan if _gone(cell) else float(cell) for cell in cells], boolean=True)
        return as_categories(column) if categorical else column
    plain = (str, bool, int, float, np.generic, decimal.Decimal, datetime.date, datetime.time)
    odd = next((cell for cell in present if not isinstance(cell, plain) or isinstance(cell, bytes)), None)
    if odd is not None:
        return _unusable(name, len(cells), f"objects of type {type(odd).__name__}, such as {shown(odd)}")
    texts = (None if _gone(cell) else str(cell) for cell in cells)
    return from_texts(name, texts, absent=absent, categorical=categorical)


def _gone(value: Any) -> bool:
    """Whether a Python cell is missing: None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


def _unusable(name: str, length: int, detail: str) -> Column:
    return Column(name, "other", np.zeros(length, dtype=np.int32), detail=detail)


def read_labels_frame(table: Table, target: str | None) -> Column:
    """The one column of a labels table, or its column `target`."""
    if target is not None:
        return table.column(target)
    if len(table.columns) != 1:
        names = listing(table.names)
        raise TableError(f"{table.source.name} has several columns ({names}): name the one with labels by --target")
    return table.columns[0]
