"""What a text file with cells looks like: its delimiter, quotes, decimal mark and header."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .column import parse_number
from .errors import TableError, shown

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}

_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_POINT_NUMBER = re.compile(r"[+-]?\d+\.\d+")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written. `names` are the cells of its first line, blanks around them removed."""

    names: tuple[str, ...]
    delimiter: str = ","
    quote: str = '"'
    decimal: str = "."
    encoding: str = "utf-8"
    header: bool = True

    def cells(self, text: str) -> list[list[str]]:
        """The records of `text`, blank lines left out."""
        return _records(text, self.delimiter, self.quote)


def decode(raw: bytes, encoding: str, where: str, *, complete: bool) -> str:
    """The text of the beginning of a file; TableError when it is binary, UTF-16, or not in `encoding`.

    `complete` tells whether `raw` is the whole file, so that it may not end inside a letter.
    """
    if encoding == "utf-8" and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{where} is written in UTF-16: save it as UTF-8, or pass --encoding utf-16")
    if encoding == "utf-8" and (b"\0" in raw or _is_rubbish(raw)):
        raise TableError(f"{where} is not a text file: its name or its content is wrong")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(raw, final=complete)
    except UnicodeDecodeError as error:
        raise encoding_error(raw, error.start, encoding, where) from error
    except (LookupError, UnicodeError) as error:
        raise TableError(f"{where} is not text in {encoding!r}: utf-8, latin-1 and cp1252 are common") from error
    return text.removeprefix("\ufeff")


def encoding_error(raw: bytes, start: int, encoding: str, where: str) -> TableError:
    """The error for the byte at `start`, which is no text in `encoding`, with its line."""
    line = raw.count(b"\n", 0, start) + 1
    return TableError(
        f"byte {start + 1} of {where} (line {line}) is 0x{raw[start]:02x}, which is not {encoding.upper()}: "
        "save the file as UTF-8, or pass --encoding latin-1"
    )


def sniff(text: str, where: str, *, header: bool, delimiter: str | None, decimal: str | None, encoding: str) -> Dialect:
    """The dialect of a file that begins with `text`; TableError when it is empty or has no header."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise TableError(f"{where} is empty")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in "\r\n\"'"):
        raise TableError(f"a delimiter is one character such as ',', ';' or a tab, not {delimiter!r}")
    sample = "\n".join(lines[:200])
    quote = _quote(lines[0])
    chosen = delimiter if delimiter is not None else _delimiter(sample, quote)
    records = _records(sample, chosen, quote)
    names = tuple(cell.strip() for cell in records[0])
    if header:
        _check_header(names, where)
    if decimal not in (None, ".", ","):
        raise TableError(f"a decimal mark is '.' or ',', not {decimal!r}")
    mark = decimal or _decimal(records[1:] if header else records, chosen)
    return Dialect(names, chosen, quote, mark, encoding, header)


def _is_rubbish(raw: bytes) -> bool:
    control = sum(raw[:4096].count(bytes((code,))) for code in range(32) if code not in (9, 10, 12, 13, 26, 27))
    return control > 0 and control * 50 > len(raw[:4096])


def _quote(first: str) -> str:
    """The quote character: `'` where every name of the first line stands in such quotes, else `"`."""
    cells = re.split(r"[,;\t| ]", first.strip())
    single = all(len(cell) >= 2 and cell[0] == cell[-1] == "'" for cell in cells)
    return "'" if single else '"'


def _records(text: str, delimiter: str, quote: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote) if row]
    except csv.Error:
        return [line.split(delimiter) for line in text.splitlines() if line]


def _delimiter(sample: str, quote: str) -> str:
    """The delimiter that splits the most lines into as many cells as the first; blanks only if nothing else does."""
    best, best_score = ",", (0.0, 0)
    for candidate in DELIMITERS:
        records = _records(sample, candidate, quote)
        width = len(records[0]) if records else 0
        if width < 2:
            continue
        fit = sum(len(row) == width for row in records) / len(records)
        if candidate == " " and (best_score[1] or fit < 1.0 or len(records) < 2):
            continue
        if (fit, width) > best_score:
            best, best_score = candidate, (fit, width)
    return best


def _decimal(records: Sequence[Sequence[str]], delimiter: str) -> str:
    """`,` where cells look like 3,14 and none like 3.14; only where the comma does not separate cells."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in records for cell in row]
    commas = any(_COMMA_NUMBER.fullmatch(cell) for cell in cells)
    points = any(_POINT_NUMBER.fullmatch(cell) for cell in cells)
    return "," if commas and not points else "."


def _check_header(names: Sequence[str], where: str) -> None:
    """Refuse a first line that holds data: numbers that are not just a numbering of the columns."""
    numbers = [(name, number) for name in names if (number := parse_number(name)) is not None]
    values = [number for _, number in numbers]
    small = all(abs(value) < 1e15 for value in values)
    numbering = small and all(v == int(v) for v in values) and all(b == a + 1 for a, b in zip(values, values[1:]))
    if numbers and not numbering:
        raise TableError(
            f"the first line of {where} holds {shown(numbers[0][0])} where a column name should be: "
            "add a line of names, or pass --no-header to name the columns c1, c2, ..."
        )
