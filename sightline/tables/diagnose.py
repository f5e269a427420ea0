"""What is wrong with a CSV file, found by reading it once more, slowly, when the fast reader has given up."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import TableError, listing, plural
from .opening import content, is_gzip
from .sniff import DELIMITERS, Dialect, encoding_error


def no_rows(path: Path) -> TableError:
    """The error for a file with names and nothing under them."""
    return TableError(f"{path} holds a header but no rows")


@dataclass(frozen=True)
class Diagnosis:
    """The file at `path`, written as `dialect` says."""

    path: Path
    dialect: Dialect

    def records(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The line on which each record begins (from 1) and its cells; blank lines are no records."""
        dialect = self.dialect
        encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
        opener = gzip.open if is_gzip(self.path) else open
        with opener(self.path, "rt", encoding=encoding, newline="") as file:
            reader = csv.reader(file, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=strict)
            line = 1
            for cells in reader:
                if cells:
                    yield line, cells
                line = reader.line_num + 1

    def line_of(self, row: int) -> int | None:
        """The line of the file on which data row `row` (from 0) begins; None when that cannot be told."""
        wanted = row + int(self.dialect.header)
        try:
            for number, (line, _) in enumerate(self.records()):
                if number == wanted:
                    return line
        except (csv.Error, UnicodeError, OSError):
            pass
        return None

    def explain(self, error: Exception) -> TableError:
        """The error in words, for what pyarrow refused."""
        width = len(self.dialect.names)
        try:
            ragged = [
                (number, line, len(cells))
                for number, (line, cells) in enumerate(self.records())
                if number > 0 and len(cells) != width
            ]
            rows = sum(1 for _ in self.records()) - 1
        except UnicodeError:
            return self.encoding()
        except csv.Error:
            return self._cannot(error)
        if rows == 0:
            return no_rows(self.path)
        if not ragged:
            return self._cannot(error)
        number, line, found = ragged[0]
        if len(ragged) == rows and rows > 1 and all(count == width + 1 for _, _, count in ragged):
            return TableError(
                f"every row of {self.path} has one cell more than the header ({found} for {width} names): "
                "name the row names too (R writes them so with write.csv), or remove the delimiter that ends the rows"
            )
        cells = DELIMITERS.get(self.dialect.delimiter, repr(self.dialect.delimiter))
        row = number if self.dialect.header else number + 1
        first = "the header" if self.dialect.header else "the first line"
        return TableError(
            f"row {row} (line {line}) of {self.path} has {plural(found, 'cell')} where {first} has {width}: "
            f"correct the line; a cell that holds {cells} must stand in quotes"
        )

    def check_quotes(self) -> None:
        """Raise TableError when a quote is opened and never closed, so that lines vanished into one cell."""
        try:
            last = 1
            for line, _ in self.records(strict=True):
                last = line
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise TableError(
                    f"{self.path} opens a quote ({self.dialect.quote}) after line {last} that it never closes: "
                    "close it, or write it twice where it is meant itself"
                ) from error
        except UnicodeError:
            raise self.encoding() from None

    def encoding(self) -> TableError:
        """The error for the first byte that is not in the file's encoding."""
        raw = content(self.path)
        try:
            raw.decode(self.dialect.encoding)
        except UnicodeDecodeError as error:
            return encoding_error(raw, error.start, self.dialect.encoding, str(self.path))
        except (LookupError, UnicodeError):
            pass
        return TableError(f"{self.path} is not text in {self.dialect.encoding.upper()}: save it as UTF-8")

    def _cannot(self, error: Exception) -> TableError:
        reason = " ".join(str(error).split())[:200]
        names = listing(self.dialect.names, 6)
        return TableError(f"{self.path} cannot be read as a CSV file with the columns {names}: {reason}")
