"""read(): a file on disk as a Table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .errors import TableError
from .features import attach, read_features
from .formats import Format, detect
from .labels import read_labels
from .opening import find
from .options import Options
from .table import Table


def read(
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    features: str | None = None,
    categorical: Sequence[str] = (),
    na: Sequence[str] = (),
    header: bool = True,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str = "utf-8",
) -> Table:
    """The table in a CSV (also .gz), Parquet, .npy, .npz, .pt, .safetensors or LIBSVM file.

    path         a file; its kind is told by its ending, else by how it begins
    target       the column to be predicted, the array of labels, or the column or array of them in the file `labels`
    labels       a file of labels (.npy, .npz, .pt, .safetensors, .csv, .txt, .parquet), or an array's name in the file
    features     the name of the array of features, shape (n, p), in a file of several
    categorical  columns of numbers that are categories; their cells stay as they are written
    na           texts that mean a missing cell, besides the usual (empty, NA, NaN, NULL, ...)
    header       whether the first line of a CSV file holds names; without, they are c1, c2, ...
    delimiter    the character between the cells of a CSV file; None finds out
    decimal      "." or "," in the numbers of a CSV file; None finds out
    encoding     the text encoding of a CSV file

    Returns a Table with n rows; nothing is converted to a matrix yet, see Encoder. Raises TableError, with one
    sentence, for a file that is missing, forbidden, damaged, empty or of another kind, for names that are double, empty
    or not there, for lines with too few or too many cells, and for labels that do not match the rows.
    """
    options = Options(
        target=target,
        labels=None if labels is None else os.fspath(labels),
        features=features,
        categorical=tuple(categorical),
        na=tuple(na),
        header=header,
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
    )
    file = find(path)
    kind = detect(file)
    if kind in ("npy", "npz", "pt", "safetensors"):
        table = read_features(file, kind, options)
        return table if labels is None or table.target is not None else _with_labels(table, options)
    if features is not None:
        raise TableError(f"{file} holds one table: --features names an array in .npz, .pt and .safetensors files")
    if labels is None:
        return _columns(file, kind, options)
    return _with_labels(_columns(file, kind, replace(options, target=None)), options)


def _columns(file: Path, kind: Format, options: Options) -> Table:
    if kind == "parquet":
        from .parquet import read_parquet

        return read_parquet(file, options)
    if kind == "libsvm":
        from .libsvm import read_libsvm

        if options.target not in (None, "label"):
            raise TableError(f"{file} is a LIBSVM file: its target is the first number of each line, 'label'")
        return read_libsvm(file, options)
    from .csvfile import read_csv

    return read_csv(file, options)


def _with_labels(table: Table, options: Options) -> Table:
    if options.labels is None:
        return table
    try:
        path = find(options.labels)
    except TableError as error:
        if os.sep in options.labels or "." in options.labels or not table.unnamed:
            raise
        raise TableError(f"{table.source.name} has no array {options.labels!r}, and {error}") from error
    return attach(table, read_labels(path, table.n, options), str(path))
