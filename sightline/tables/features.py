"""A file of arrays as a table: which array holds the features, which the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Arrays, choose, load_arrays
from .column import Column, as_categories, from_numbers, from_texts
from .errors import TableError, did_you_mean, listing
from .frames import check_names
from .options import Options
from .table import Source, Table

FEATURE_NAMES = ("x", "features", "data", "x_train", "inputs", "embeddings")
LABEL_NAMES = ("y", "labels", "label", "target", "targets", "y_train")


def read_features(path: Path, kind: str, options: Options) -> Table:
    """The table of a file of arrays.

    One array of two dimensions (n, p) is the features, its columns named x1 to xp. A file of several arrays holds them
    under `X`, `features`, `data` or what `options.features` names; arrays of one dimension only are columns under their
    own names. `options.target` or `options.labels` names the array of labels. See `sightline.tables.read` for errors.
    """
    arrays = load_arrays(path, kind)
    where = str(path)
    key = options.labels if options.labels in arrays else options.target if options.target in arrays else None
    labels = arrays.pop(key) if key is not None else None
    if key is not None and not arrays:
        raise TableError(f"{where} holds only {key!r}: there are no features beside it")
    if len(arrays) == 1 and arrays.get("") is not None and getattr(arrays[""].dtype, "names", None):
        table = _fields(arrays[""], where)
    elif options.features is None and len(arrays) > 1 and all(array.ndim == 1 for array in arrays.values()):
        table = _vectors(arrays, where)
    else:
        table = _matrix(arrays, options, where)
    if options.categorical:
        table = _with_categories(table, options.categorical)
    if labels is not None:
        return attach(table, labels_column(labels, key or "", f"{key!r} in {where}"), f"{key!r} in {where}")
    if options.target is not None and options.labels is None:
        if options.target not in table and arrays.keys() != {""}:
            hint = did_you_mean(options.target, arrays)
            raise TableError(
                f"{where} has no array {options.target!r}{hint or '.'} It holds: {listing(list(arrays))}; "
                "labels in another file are named by --labels"
            )
        return table.with_target(options.target)
    return table


def _matrix(arrays: Arrays, options: Options, where: str) -> Table:
    candidates = {key: array for key, array in arrays.items() if array.ndim == 2}
    if options.features is None and len(candidates) == 1:
        key = next(iter(candidates))
    else:
        key = choose(arrays, options.features, FEATURE_NAMES, where, "features", "--features")
    array = arrays[key]
    place = f"{key!r} in {where}" if key else where
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2:
        hint = "reshape it to (rows, columns)" if array.ndim else "features are a table of numbers"
        raise TableError(f"{place} has the shape {tuple(array.shape)}: {hint}")
    n, p = array.shape
    if n == 0 or p == 0:
        raise TableError(f"{place} is empty: its shape is {(n, p)}")
    if array.dtype.kind in "US":
        raise TableError(f"{place} holds text: save the table as CSV or Parquet, with named columns")
    matrix = array.astype(np.float64) if not isinstance(array, np.ndarray) else np.ascontiguousarray(array, np.float64)
    names = tuple(f"x{index + 1}" for index in range(p))
    return Table(Source(place), n, matrix=matrix, matrix_names=names, unnamed=True)


def _vectors(arrays: Arrays, where: str) -> Table:
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        told = ", ".join(f"{key!r} of {length:,}" for key, length in list(lengths.items())[:8])
        raise TableError(f"{where} holds arrays of different lengths ({told}): name the features with --features")
    check_names(list(arrays), where)
    columns = tuple(labels_column(array, key, where) for key, array in arrays.items())
    if not len(columns[0]):
        raise TableError(f"{where} holds columns without rows")
    return Table(Source(where), len(columns[0]), columns=columns)


def _fields(array: NDArray[Any], where: str) -> Table:
    """A structured array, whose fields are the columns."""
    names = array.dtype.names or ()
    flat = array.reshape(-1)
    for name in names:
        if flat[name].ndim != 1 or flat[name].dtype.kind not in "biufUS":
            raise TableError(f"the field {name!r} of {where} holds {flat.dtype[name]}, not one number or text a row")
    return _vectors({name: flat[name] for name in names}, where)


def _with_categories(table: Table, categorical: tuple[str, ...]) -> Table:
    for name in categorical:
        table.column(name)  # an unknown name is an error
    if table.matrix is not None and not isinstance(table.matrix, np.ndarray):
        raise TableError(f"{table.source.name} is sparse: its columns cannot be categories")
    columns = tuple(as_categories(column) if column.name in categorical else column for column in table)
    return Table(table.source, table.n, columns=columns, unnamed=table.unnamed, target=table.target)


def labels_column(array: Any, name: str, where: str) -> Column:
    """A column from an array of shape (n,), (n, 1) or (1, n) with numbers, truth values or texts."""
    if not isinstance(array, np.ndarray):
        array = np.asarray(array.todense())
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1:
        hint = " (take argmax(axis=1) of one column a class)" if array.ndim == 2 else ""
        raise TableError(f"{where} has the shape {tuple(array.shape)}, and labels have one a row{hint}")
    if array.dtype.kind in "US":
        texts = np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
        return from_texts(name, (str(text) for text in texts), categorical=True)
    if array.dtype.kind not in "biuf":
        raise TableError(f"{where} holds cells of type {array.dtype}, which are no labels")
    return from_numbers(name, array, boolean=array.dtype.kind == "b")


def attach(table: Table, target: Column, where: str) -> Table:
    """The table with the labels `target`; TableError when there are more or fewer than rows."""
    from dataclasses import replace

    if len(target) != table.n:
        raise TableError(
            f"{where} has {len(target):,} labels and {table.source.name} has {table.n:,} rows: each row needs one label"
        )
    return replace(table, target=target)
