"""Files of data and of models, as the commands take them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.result import Result
from sightline.tables import Column, Encoder, Field, Table, TableError, read


def tell(notes: Iterable[str], quiet: bool = False, mark: str = "note: ") -> None:
    """Say something about the work, on standard error."""
    if not quiet:
        for note in notes:
            sys.stderr.write(f"{mark}{note}\n")
        sys.stderr.flush()


def load(model: str) -> tuple[Result, Path]:
    """The model in a file, or in the folder that ``fit`` wrote.

    Raises TableError, with one sentence, for a file that is missing, of another kind, or damaged.
    """
    import sightline as sl
    from sightline.tables.opening import find

    path = Path(model)
    if path.is_dir():
        inside = path / "model.safetensors"
        if not inside.exists():
            raise TableError(f"the folder {model} holds no model: there is no model.safetensors in it")
        path = inside
    found = find(path)
    if found.suffix.lower() in (".csv", ".tsv", ".parquet", ".html", ".json", ".txt", ".npy", ".npz"):
        raise TableError(f"{model} is no model: name the model.safetensors that `sightline fit` wrote, or its folder")
    result = sl.load(found)
    assert isinstance(result, Result)
    return result, found


def encoder_of(result: Result) -> Encoder:
    """The encoder that travels with a model; without one, that of plain numbers under the model's column names."""
    known = result.extra.get("encoder")
    if known is not None:
        return Encoder.from_dict(known)
    count = result.weight.shape[1]
    names = result.columns if result.columns is not None else tuple(f"x{j + 1}" for j in range(count))
    return Encoder(tuple(Field(name) for name in names))


def how_fitted(result: Result) -> dict[str, Any]:
    """What `sightline fit` was told of target, weights and offset; nothing for a model from Python."""
    known = result.extra.get("fit")
    return known if isinstance(known, dict) else {}


def read_table(
    data: str,
    *,
    target: str | None = None,
    labels: str | None = None,
    categorical: Sequence[str] = (),
    na: Sequence[str] = (),
    no_header: bool = False,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str = "utf-8",
    features: str | None = None,
) -> Table:
    """The table in a file, by the options of the command line."""
    return read(
        data, target=target, labels=labels, categorical=categorical, na=na, header=not no_header, delimiter=delimiter,
        decimal=decimal, encoding=encoding, features=features,
    )  # fmt: skip


def numbers(table: Table, name: str, option: str, *, least: float | None = None) -> tuple[NDArray[np.float64], Table]:
    """The column of weights or offsets, float64 (n,), and the table without it.

    Raises TableError for a column that is the target, not there, not numbers, or has cells that are missing, infinite
    or below ``least``.
    """
    if table.target is not None and table.target.name == name:
        raise TableError(f"{option} {name!r} is the target: name another column")
    column, rest = table.split(name)
    if column.kind not in ("number", "boolean"):
        row = _first_text(column)
        raise TableError(f"{option} {name!r} holds {column.cell(row)!r} in {table.place(row)}: numbers are needed")
    values = np.asarray(column.values, dtype=np.float64)
    for wrong, what in ((np.isnan(values), "is missing"), (np.isinf(values), "is infinite")):
        if wrong.any():
            raise TableError(f"{option} {name!r} {what} in {table.place(int(np.argmax(wrong)))}: correct the cell")
    if least is not None and (values < least).any():
        row = int(np.argmax(values < least))
        raise TableError(f"{option} {name!r} is {values[row]:g} in {table.place(row)}: it must be at least {least:g}")
    return values, rest


def _first_text(column: Column) -> int:
    from sightline.tables.column import parse_number

    for row in range(min(len(column), 100_000)):
        text = column.cell(row)
        if text and parse_number(text) is None:
            return row
    return 0
