"""Rows to be scored with a model: its columns, found by name where there are names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sightline.data import DataError, as_array, column_names, locate_not_finite
from sightline.design_matrix import Design, as_design


def as_rows(X: Any, p: int, columns: Sequence[str] | None = None) -> Design:
    """Rows to score with a model of ``p`` columns: their design matrix.

    A frame's columns are matched by name where the model has names, in any order; other columns of it are left alone.
    Everything else must have exactly ``p`` columns in the model's order.

    Raises
    ------
    DataError : a column is missing (with the nearest name), there are too many or too few, NaN or infinity (column
        and row), text.
    """
    names = column_names(X)
    if names is not None and columns is not None:
        X = _named(X, names, columns)
    design = as_design(as_array(X))
    if design.p != p:
        raise DataError(f"X has {design.p} columns; the model has {p}" + (f": {_few(columns)}." if columns else "."))
    if not design.is_finite():
        raise DataError(locate_not_finite(design, None if columns is None else tuple(columns)))
    return design


def _named(X: Any, names: tuple[str, ...], columns: Sequence[str]) -> Any:
    """The model's columns of a frame, in the model's order."""
    import difflib

    places: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in places and name in columns:
            raise DataError(f"X has the column {name!r} twice.")
        places[name] = i
    for name in columns:
        if name not in places:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" X has {_few(names)}."
            raise DataError(f"X has no column {name!r}, which the model needs.{hint}")
    if names == tuple(columns):
        return X
    import narwhals as nw

    frame = nw.from_native(X, eager_only=True)
    return frame.select([frame.columns[places[name]] for name in columns]).to_native()


def _few(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
