"""LIBSVM (svmlight) files: a label and `index:value` pairs a line, read by scikit-learn."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from .column import from_numbers
from .errors import TableError, module, plural, shown
from .opening import content
from .options import Options
from .table import Source, Table

MOST_COLUMNS = 20_000_000

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_LINE = re.compile(rf"{_NUMBER}(?:\s+(?:qid:\d+|\d+:{_NUMBER}))*\s*(?:#.*)?")


def looks_like_libsvm(text: str) -> bool:
    """Whether the first lines of `text` are a number and `index:value` pairs, at least one of them with a pair."""
    lines = [line.strip() for line in text.splitlines()[:20]]
    lines = [line for line in lines if line and not line.startswith("#")][:10]
    return bool(lines) and all(_LINE.fullmatch(line) for line in lines) and any(":" in line for line in lines)


def read_libsvm(path: Path, options: Options) -> Table:
    """The table of a LIBSVM file: a CSR matrix (float64, int32 indices) with columns `x<index>`, and its labels.

    The index is the file's own, so a file that counts from 0 has a column `x0`. See `sightline.tables.read` for errors.
    """
    where = str(path)
    datasets = module("sklearn.datasets", what="reading LIBSVM")
    raw = content(path)
    if not raw.strip():
        raise TableError(f"{where} is empty")
    _check_indices(raw, where)
    try:
        matrix, labels = datasets.load_svmlight_file(io.BytesIO(raw), zero_based=True, dtype=np.float64)
    except MemoryError as error:
        raise TableError(f"{where} does not fit into memory") from error
    except Exception as error:
        raise _explain(raw, where) from error
    if matrix.shape[0] == 0:
        raise TableError(f"{where} holds no rows")
    if matrix.nnz == 0:
        raise TableError(f"{where} holds labels only: no line has an index:value pair")
    first = 0 if (matrix.indices == 0).any() else 1
    matrix = matrix[:, first:]
    if matrix.nnz < 2**31:
        matrix.indices = matrix.indices.astype(np.int32)
        matrix.indptr = matrix.indptr.astype(np.int32)
    names = tuple(f"x{index}" for index in range(first, first + matrix.shape[1]))
    if options.categorical:
        raise TableError(f"{where} has no categories: LIBSVM columns are numbers")
    target = from_numbers("label", labels)
    source = Source(where, lambda row: _line_of(raw, row))
    n = matrix.shape[0]
    return Table(source, n, matrix=matrix, matrix_names=names, target=target, sparse_index=True)


def _check_indices(raw: bytes, where: str) -> None:
    """Refuse an index that no model could have as many columns for, before memory is asked for them."""
    for match in re.finditer(rb"(\d{8,}):", raw):
        index = int(match[1][:40])
        if index > MOST_COLUMNS and raw[max(match.start() - 1, 0) : match.start()] != b"d":  # not qid:
            line = raw.count(b"\n", 0, match.start()) + 1
            raise TableError(f"line {line} of {where} has the index {index}: at most {MOST_COLUMNS:,} columns")


def _lines(raw: bytes) -> list[tuple[int, str]]:
    lines = enumerate(raw.decode("utf-8", "replace").split("\n"), 1)
    parts = ((number, line.partition("#")[0].strip()) for number, line in lines)
    return [(number, line) for number, line in parts if line]


def _line_of(raw: bytes, row: int) -> int | None:
    lines = _lines(raw)
    return lines[row][0] if row < len(lines) else None


def _explain(raw: bytes, where: str) -> TableError:
    """The first line that is not a label and rising index:value pairs, in words."""
    for number, line in _lines(raw):
        label, *pairs = line.split()
        if not re.fullmatch(_NUMBER, label):
            several = ": it names several labels, and one is needed" if "," in label else ""
            return TableError(f"line {number} of {where} begins with {shown(label)}, not with a number{several}")
        last = -1
        for pair in pairs:
            if pair.startswith("qid:"):
                continue
            index, colon, value = pair.partition(":")
            if not colon or not index.isdigit() or not re.fullmatch(_NUMBER, value):
                return TableError(f"line {number} of {where} holds {shown(pair)}, which is no index:value pair")
            if int(index) <= last:
                return TableError(
                    f"line {number} of {where} has the index {index} after {last}: the indices of a line must rise"
                )
            last = int(index)
    count = plural(len(_lines(raw)), "line")
    return TableError(f"{where} ({count}) is not a LIBSVM file: a line is a label and index:value pairs")
