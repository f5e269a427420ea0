"""Table: the named columns of a file or frame as they were read, and the target apart from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import Column
from .errors import TableError, unknown_column


@dataclass(frozen=True, eq=False)
class Source:
    """Where a table came from, for error messages: its name, and the line of the file that a row stands on."""

    name: str
    line_of: Callable[[int], int | None] | None = None

    def place(self, row: int) -> str:
        """Row `row` (from 0) in words: `row 5 (line 6 of data.csv)`."""
        line = self.line_of(row) if self.line_of is not None else None
        return f"row {row + 1} of {self.name}" if line is None else f"row {row + 1} (line {line} of {self.name})"


@dataclass(frozen=True, eq=False)
class Table:
    """The features of n rows, and their target where one was named.

    Features are either `columns`, or a `matrix` (float64 of shape (n, p), dense or CSR) whose columns are
    `matrix_names`. `sparse_index` marks a file whose absent columns are zeros by definition (LIBSVM), `unnamed` one
    whose columns are known by position only. `rows` are the numbers (from 0) that the rows had where they were read;
    None means 0 to n - 1. `notes` are sentences about what was noticed while reading.
    """

    source: Source
    n: int
    columns: tuple[Column, ...] = ()
    matrix: Any = None
    matrix_names: tuple[str, ...] = ()
    target: Column | None = None
    notes: tuple[str, ...] = ()
    rows: NDArray[np.int64] | None = None
    sparse_index: bool = False
    unnamed: bool = False

    def __len__(self) -> int:
        return self.n

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        target: str | None = None,
        categorical: tuple[str, ...] = (),
        na: tuple[str, ...] = (),
        name: str = "the frame",
    ) -> Table:
        """A table from a pandas, polars, pyarrow or other frame that narwhals knows.

        `target` names the column to be predicted, `categorical` the columns of numbers to be taken as categories, and
        `na` further texts that mean a missing cell. Raises TableError for what is not a frame, for names that are
        double or empty, and for a column that is not there.
        """
        from .frames import from_frame

        return from_frame(frame, target=target, categorical=categorical, na=na, name=name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in the order of the file."""
        return self.matrix_names if self.matrix is not None else tuple(column.name for column in self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features as they were read, before categories become columns."""
        return self.n, len(self.names)

    def __iter__(self) -> Iterator[Column]:
        """The feature columns; those of a matrix one by one."""
        return iter(self.columns) if self.matrix is None else (self.column(name) for name in self.matrix_names)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def __contains__(self, name: object) -> bool:
        return name in self._position

    def column(self, name: str) -> Column:
        """The feature `name`; TableError with the nearest name when there is none."""
        if name not in self._position:
            raise unknown_column(name, self.names, self.source.name)
        index = self._position[name]
        if self.matrix is None:
            return self.columns[index]
        values = self.matrix[:, index]
        if not isinstance(values, np.ndarray):
            values = np.asarray(values.todense(), dtype=np.float64).reshape(-1)
        return Column(name, "number", np.ascontiguousarray(values))

    def split(self, name: str) -> tuple[Column, Table]:
        """The column `name`, and the table without it. For weights and offsets, as for the target."""
        column = self.column(name)
        index = self._position[name]
        if self.matrix is None:
            return column, replace(self, columns=self.columns[:index] + self.columns[index + 1 :])
        keep = np.delete(np.arange(len(self.names)), index)
        names = self.matrix_names[:index] + self.matrix_names[index + 1 :]
        return column, replace(self, matrix=self.matrix[:, keep], matrix_names=names)

    def with_target(self, target: str | None) -> Table:
        """The table with its column `target` set apart as the one to be predicted."""
        if target is None:
            return self
        if self.target is not None:
            raise TableError(f"{self.source.name} has its target already: name a target column or labels, not both")
        column, rest = self.split(target)
        return replace(rest, target=column)

    def take(self, rows: Any) -> Table:
        """The table of the rows in `rows` (integers from 0, or a boolean mask of shape (n,)), in that order."""
        chosen = np.asarray(rows)
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.int64)
        return replace(
            self,
            n=len(index),
            columns=tuple(column.take(index) for column in self.columns),
            matrix=None if self.matrix is None else self.matrix[index],
            target=None if self.target is None else self.target.take(index),
            rows=index if self.rows is None else self.rows[index],
        )

    def place(self, row: int) -> str:
        """Row `row` of this table (from 0) in words, by the number it had where it was read."""
        return self.source.place(int(row) if self.rows is None else int(self.rows[row]))

    def y(self) -> NDArray[Any]:
        """The target as labels, shape (n,): str, bool, int64 where every number is whole, else float64.

        Raises TableError when no target was named, when it holds dates or nothing usable, and when a cell is missing
        or infinite, with the column and row.
        """
        from .targets import check_target

        if self.target is None:
            raise TableError(f"no target was named for {self.source.name}: --target COLUMN")
        check_target(self.target, self)
        return self.target.labels()
