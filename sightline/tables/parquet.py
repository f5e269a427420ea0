"""Parquet files."""

from __future__ import annotations

from pathlib import Path

from .errors import TableError, module
from .frames import check_names, from_frame
from .opening import reading
from .options import Options
from .table import Source, Table


def read_parquet(path: Path, options: Options) -> Table:
    """The table of a Parquet file; see `sightline.tables.read` for the errors."""
    where = str(path)
    parquet = module("pyarrow.parquet", what="reading Parquet")
    with reading(path):
        try:
            with parquet.ParquetFile(where, memory_map=False) as file:
                names = list(file.schema_arrow.names)
                rows = file.metadata.num_rows
                check_names(names, where)
                if not names:
                    raise TableError(f"{where} is a Parquet file without columns")
                if rows == 0:
                    raise TableError(f"{where} is a Parquet file without rows")
                frame = file.read()
            frame.validate(full=True)
        except (TableError, PermissionError, MemoryError):
            raise
        except Exception as error:
            raise TableError(f"{where} is not a readable Parquet file: it is damaged or another kind") from error
    index = [name for name in names if name.startswith("__index_level_")]
    if index:
        frame = frame.drop_columns(index)
    if not frame.num_columns:
        raise TableError(f"{where} holds row names but no columns")
    return from_frame(
        frame, target=options.target, categorical=options.categorical, na=options.na, source=Source(where)
    )
