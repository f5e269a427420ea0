"""The design matrix itself: put together from encoded columns, or taken from a file that holds a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .checks import ADVICE, NEW_ADVICE, NO_MEANS
from .errors import TableError, flag, listing, module, plural
from .field import Field, finite_mean

if TYPE_CHECKING:
    from .table import Table

# A one-hot matrix of more cells than this (256 MB) that is mostly zeros becomes sparse.
_LARGE = 2**25


@dataclass(frozen=True, eq=False)
class Encoded:
    """A design matrix: X float64 of shape (n, p), dense (C order) or CSR; its p column names; the rows of the table
    that it holds, int64 of shape (n,); notes about what was left out; the columns of the table that were ignored."""

    X: Any
    columns: tuple[str, ...]
    rows: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def assemble(fields: Sequence[Field], parts: Sequence[NDArray[Any]], n: int) -> Any:
    """X from the numbers (float64) and codes (int32) of the fields, each of shape (n,), none missing."""
    widths = [len(field.columns) for field in fields]
    p = sum(widths)
    texts = sum(field.kind == "text" for field in fields)
    if n * p > _LARGE and (len(fields) - texts) + texts < p / 4:
        return _assemble_sparse(fields, parts, n, widths)
    X = np.zeros((n, p), dtype=np.float64)
    start = 0
    for field, part, width in zip(fields, parts, widths):
        if field.kind != "text":
            X[:, start] = part
        elif width:
            rows = np.flatnonzero(part > 0)
            X[rows, start + part[rows] - 1] = 1.0
        start += width
    return X


def _assemble_sparse(fields: Sequence[Field], parts: Sequence[NDArray[Any]], n: int, widths: Sequence[int]) -> Any:
    sparse = module("scipy.sparse")
    blocks = []
    for field, part, width in zip(fields, parts, widths):
        if field.kind != "text":
            blocks.append(sparse.csr_matrix(part.reshape(-1, 1)))
        elif width:
            rows = np.flatnonzero(part > 0)
            ones = np.ones(len(rows))
            blocks.append(sparse.csr_matrix((ones, (rows, part[rows] - 1)), shape=(n, width)))
    return sparse.hstack(blocks, format="csr", dtype=np.float64)


def fit_matrix(table: Table, kept: Sequence[str], missing: str) -> tuple[list[float | None], tuple[str, ...]]:
    """The mean of each kept column where missing cells are filled, else None; and notes on constant columns."""
    matrix = _select(table, kept)
    _check_infinite(matrix, kept, table, ", or --drop {}")
    lost = _rows_with_nan(matrix)
    if lost.any() and missing == "error":
        raise TableError(_nan_sentence(matrix, kept, table, ADVICE))
    if lost.all() and missing == "drop":
        raise TableError(f"every row of {table.source.name} has a missing cell: --drop the columns with the most")
    means: list[float | None] = [None] * len(kept)
    if missing == "mean":
        # Every column's mean is kept, since new rows may miss cells where the training rows did not.
        means = [float(mean) for mean in _means(matrix)]
        empty = next((name for name, mean in zip(kept, means) if mean != mean), None)
        if empty is not None:
            told = f"column {empty!r} of {table.source.name} is empty: every cell is missing"
            raise TableError(f"{told}; --drop {flag(empty)}")
    constant: list[str] = []
    if not lost.any() or missing == "drop":
        used = matrix[~lost] if lost.any() else matrix
        low, high = _extremes(used)
        constant = [name for name, same in zip(kept, low == high) if same]
    if not constant:
        return means, table.notes
    which = f"columns with the same number in every row, which tell the model nothing: {listing(constant)}"
    return means, (*table.notes, which)


def encode_matrix(table: Table, fields: Sequence[Field], missing: str, ignored: tuple[str, ...]) -> Encoded:
    """The rows of a table that holds a matrix."""
    names = tuple(field.name for field in fields)
    matrix = _select(table, names)
    _check_infinite(matrix, names, table, "")
    lost = _rows_with_nan(matrix)
    if not lost.any():
        return Encoded(matrix, names, np.arange(table.n), (), ignored)
    if missing == "mean":
        unknown = next((field.name for field in fields if field.mean is None), None)
        if unknown is not None:
            raise TableError(_nan_sentence(matrix, names, table, NO_MEANS))
        means = np.array([field.mean for field in fields], dtype=np.float64)
        return Encoded(_filled(matrix, means), names, np.arange(table.n), (), ignored)
    if missing == "error":
        raise TableError(_nan_sentence(matrix, names, table, NEW_ADVICE))
    rows = np.flatnonzero(~lost)
    if not len(rows):
        raise TableError(f"every row of {table.source.name} has a missing cell: there is nothing left")
    count = table.n - len(rows)
    verb = "was" if count == 1 else "were"
    first = table.place(int(np.argmax(lost)))
    note = f"{count:,} of {table.n:,} rows {verb} left out since a cell is missing, the first in {first}"
    return Encoded(matrix[rows], names, rows, (note,), ignored)


def _select(table: Table, names: Sequence[str]) -> Any:
    """The columns `names` of the table's matrix; absent ones of a LIBSVM file are zeros."""
    if tuple(names) == table.matrix_names:
        return table.matrix
    position = {name: index for index, name in enumerate(table.matrix_names)}
    present = [index for index, name in enumerate(names) if name in position]
    picked = table.matrix[:, [position[names[index]] for index in present]]
    if len(present) == len(names):
        return picked
    sparse = module("scipy.sparse")
    entries = picked.tocoo()
    columns = np.asarray(present, dtype=np.int32)[entries.col]
    return sparse.csr_matrix((entries.data, (entries.row, columns)), shape=(table.n, len(names)))


def _entries(matrix: Any) -> NDArray[np.float64]:
    return matrix if isinstance(matrix, np.ndarray) else matrix.data


def _rows_with_nan(matrix: Any) -> NDArray[np.bool_]:
    """Whether each row has a NaN, bool of shape (n,)."""
    if isinstance(matrix, np.ndarray):
        # A sum is NaN or infinite where a cell is, and costs no mask of the size of the matrix.
        with np.errstate(all="ignore"):
            suspect = ~np.isfinite(matrix.sum(axis=1))
        if suspect.any():
            suspect[suspect] = np.isnan(matrix[suspect]).any(axis=1)
        return np.asarray(suspect, dtype=np.bool_)
    lost = np.zeros(matrix.shape[0], dtype=np.bool_)
    bad = np.flatnonzero(np.isnan(matrix.data))
    lost[np.searchsorted(matrix.indptr, bad, side="right") - 1] = True
    return lost


def _first(matrix: Any, test: Any) -> tuple[int, int] | None:
    """The row and column of the first entry for which `test` holds, or None."""
    if isinstance(matrix, np.ndarray):
        for start in range(0, matrix.shape[0], 4096):
            found = np.argwhere(test(matrix[start : start + 4096]))
            if len(found):
                return start + int(found[0, 0]), int(found[0, 1])
        return None
    where = np.flatnonzero(test(matrix.data))
    if not len(where):
        return None
    return int(np.searchsorted(matrix.indptr, where[0], side="right")) - 1, int(matrix.indices[where[0]])


def _check_infinite(matrix: Any, names: Sequence[str], table: Table, advice: str) -> None:
    found = _first(matrix, np.isinf)
    if found is not None:
        row, index = found
        told = f"column {names[index]!r} holds {float(matrix[row, index]):+} in {table.place(row)}: correct the cell"
        raise TableError(told + advice.format(flag(names[index])))


def _nan_sentence(matrix: Any, names: Sequence[str], table: Table, advice: str) -> str:
    found = _first(matrix, np.isnan)
    row, index = found if found is not None else (0, 0)
    count = sum(int(np.isnan(block).sum()) for block in np.array_split(_entries(matrix), 64))
    return (
        f"column {names[index]!r} holds NaN in {table.place(row)}, the first of {plural(count, 'missing cell')}: "
        f"{advice}"
    )


def _means(matrix: Any) -> NDArray[np.float64]:
    """The mean of each column's cells that are there, float64 of shape (p,); NaN where there are none."""
    n, p = matrix.shape
    if isinstance(matrix, np.ndarray):
        return np.array([finite_mean(column) if not np.isnan(column).all() else np.nan for column in matrix.T])
    gone = np.isnan(matrix.data)
    lost = np.bincount(matrix.indices[gone], minlength=p)
    sums = np.bincount(matrix.indices[~gone], weights=matrix.data[~gone], minlength=p)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(lost < n, sums / np.maximum(n - lost, 1), np.nan))


def _extremes(matrix: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the largest number of each column, float64 of shape (p,)."""
    if isinstance(matrix, np.ndarray):
        return matrix.min(axis=0), matrix.max(axis=0)
    low, high = matrix.min(axis=0), matrix.max(axis=0)
    return np.asarray(low.todense()).reshape(-1), np.asarray(high.todense()).reshape(-1)


def _filled(matrix: Any, means: NDArray[np.float64]) -> Any:
    filled = matrix.copy()
    if isinstance(filled, np.ndarray):
        rows, columns = np.nonzero(np.isnan(filled))
        filled[rows, columns] = means[columns]
    else:
        gone = np.isnan(filled.data)
        filled.data[gone] = means[filled.indices[gone]]
    return filled
