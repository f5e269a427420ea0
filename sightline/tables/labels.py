"""A file of labels beside a file of features."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from .arrays import choose, load_arrays
from .column import MISSING_MARKS, Column, from_texts, parse_number
from .errors import TableError
from .features import LABEL_NAMES, labels_column
from .formats import detect
from .frames import read_labels_frame
from .opening import content
from .options import Options
from .sniff import decode, sniff


def read_labels(path: Path, n: int, options: Options) -> Column:
    """The labels of `n` rows from a .npy, .npz, .pt, .safetensors, Parquet, CSV or text file.

    A text file of one column holds a label a line; one line more than rows is its header. In a file of several columns
    or arrays `options.target` names the one with the labels. Raises TableError for what cannot be read.
    """
    kind = detect(path)
    where = str(path)
    if kind in ("npy", "npz", "pt", "safetensors"):
        arrays = load_arrays(path, kind)
        key = choose(arrays, options.target, LABEL_NAMES, where, "labels", "--target")
        return labels_column(arrays[key], key or "label", f"{key!r} in {where}" if key else where)
    plain = replace(options, target=None, categorical=(), header=True)
    if kind == "parquet":
        from .parquet import read_parquet

        return read_labels_frame(read_parquet(path, plain), options.target)
    if kind == "libsvm":
        raise TableError(f"{where} is a LIBSVM file, which holds features: name one with labels alone")
    column = _lines(path, n, options)
    if column is not None:
        return column
    from .csvfile import read_csv

    return read_labels_frame(read_csv(path, plain), options.target)


def _lines(path: Path, n: int, options: Options) -> Column | None:
    """The labels of a text file of one column; None when it has several."""
    where = str(path)
    text = decode(content(path), options.encoding, where, complete=True)
    dialect = sniff(text, where, header=False, delimiter=options.delimiter, decimal=".", encoding=options.encoding)
    if len(dialect.names) > 1 and path.suffix.lower() != ".txt":
        return None
    lines = text.splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    cells = [_unquoted(line.strip()) for line in lines]
    name = "label"
    if len(cells) == n + 1 and parse_number(cells[0]) is None:
        name = cells.pop(0) or name
    if len(cells) != n and len(dialect.names) > 1:
        return None
    absent = MISSING_MARKS.union(options.na)
    return from_texts(name, cells, absent=absent)


def _unquoted(cell: str) -> str:
    if cell[:1] in "\"'" and len(cell) >= 2 and cell[0] == cell[-1]:
        return next(csv.reader(io.StringIO(cell), quotechar=cell[0]))[0]
    return cell
