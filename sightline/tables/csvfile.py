"""CSV files and their kin (tabs, semicolons, gzip), read by pyarrow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from .column import MISSING_MARKS
from .diagnose import Diagnosis, no_rows
from .errors import module
from .frames import check_names, from_frame
from .opening import content, head, is_gzip, reading
from .options import Options
from .sniff import Dialect, decode, sniff
from .table import Source, Table

_HEAD = 1 << 18


def read_csv(path: Path, options: Options) -> Table:
    """The table of a text file with cells; see `sightline.tables.read` for the errors."""
    where = str(path)
    raw = head(path, _HEAD)
    text = decode(raw, options.encoding, where, complete=len(raw) < _HEAD)
    dialect = sniff(
        text,
        where,
        header=options.header,
        delimiter=options.delimiter,
        decimal=options.decimal,
        encoding=options.encoding,
    )
    diagnosis = Diagnosis(path, dialect)
    if dialect.header:
        check_names(dialect.names, where)
    frame = _arrow(path, dialect, options, diagnosis)
    if dialect.header:
        names = check_names([name.strip() for name in frame.column_names], where)
    else:
        names = tuple(f"c{index + 1}" for index in range(frame.num_columns))
    frame = frame.rename_columns(list(names))
    if frame.num_rows == 0:
        raise no_rows(path)
    _check_text(frame, diagnosis)
    source = Source(where, diagnosis.line_of)
    table = from_frame(
        frame,
        target=options.target,
        categorical=options.categorical,
        na=options.na,
        marks=MISSING_MARKS,
        source=source,
    )
    return table


def _arrow(path: Path, dialect: Dialect, options: Options, diagnosis: Diagnosis) -> Any:
    """The pyarrow table of the file."""
    csv = module("pyarrow.csv", what="reading CSV")
    arrow = module("pyarrow", what="reading CSV")
    wanted = {name: arrow.string() for name in dialect.names if name in options.categorical}
    size = path.stat().st_size

    def attempt(block: int) -> Any:
        stream = io.BytesIO(content(path)) if is_gzip(path) else arrow.input_stream(where, compression=None)
        with stream:
            return csv.read_csv(
                stream,
                read_options=csv.ReadOptions(
                    encoding=_codec(dialect.encoding),
                    block_size=block,
                    autogenerate_column_names=not dialect.header,
                ),
                parse_options=csv.ParseOptions(
                    delimiter=dialect.delimiter, quote_char=dialect.quote, newlines_in_values=True
                ),
                convert_options=csv.ConvertOptions(
                    null_values=sorted(MISSING_MARKS.union(options.na)),
                    strings_can_be_null=True,
                    decimal_point=dialect.decimal,
                    column_types=wanted,
                ),
            )

    where = str(path)
    with reading(path):
        try:
            try:
                return attempt(1 << 22)
            except arrow.ArrowInvalid as error:
                if "straddling" not in str(error):
                    raise
                return attempt(min(max(size, 1 << 24) * 2, 2**31 - 1))  # a line longer than a block
        except arrow.ArrowException as error:
            raise diagnosis.explain(error) from error
        except UnicodeError as error:
            raise diagnosis.encoding() from error


def _codec(encoding: str) -> str:
    return "utf8" if encoding.lower() in ("utf-8", "utf8") else encoding


def _check_text(frame: Any, diagnosis: Diagnosis) -> None:
    """Refuse bytes that are not in the file's encoding, and a quote that is opened and never closed."""
    compute = module("pyarrow.compute", what="reading CSV")
    types = module("pyarrow.types", what="reading CSV")
    for column in frame.columns:
        if types.is_binary(column.type):
            raise diagnosis.encoding()
    for column in frame.columns:
        if types.is_string(column.type) and compute.any(compute.match_substring(column, "\n")).as_py():
            diagnosis.check_quotes()
            return
