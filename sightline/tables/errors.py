"""The one error of this package, and the words its sentences share."""

from __future__ import annotations

import difflib
import importlib
import shlex
from collections.abc import Iterable, Sequence
from typing import Any


class TableError(ValueError):
    """A file, frame or column that cannot be used: one sentence, on one line, with what, where and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


def module(name: str, *, what: str = "this kind of file") -> Any:
    """Import the module `name` when it is first needed; TableError when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        how = "pip install 'sightline[files]'" if package == "pyarrow" else f"pip install {package}"
        raise TableError(f"{what} needs the package {package}, which is not installed: {how}") from error


def closest(name: str, names: Iterable[str]) -> str | None:
    """The member of `names` most like `name`, letters of either case being alike; None when none is near."""
    by_lower: dict[str, str] = {}
    for candidate in names:
        by_lower.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`": did you mean 'x'?"`, or nothing when no name is near."""
    near = closest(name, names)
    return "" if near is None else f": did you mean {near!r}?"


def listing(names: Sequence[object], most: int = 12) -> str:
    """The first `most` of `names` in quotes, separated by commas, with their number where some are left out."""
    shown_names = ", ".join(shown(name) for name in names[:most])
    return shown_names if len(names) <= most else f"{shown_names}, ... ({len(names)} in all)"


def shown(value: object, most: int = 40) -> str:
    """`value` in quotes as one short line."""
    text = repr(str(value))
    return text if len(text) <= most else f"{text[: most - 4]}...{text[-1]}"


def flag(name: str) -> str:
    """A column's name as one writes it behind an option on the command line."""
    return shlex.quote(name)


def plural(count: int, word: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def unknown_column(name: str, names: Sequence[str], where: str) -> TableError:
    """The error for a column that is not there, with the nearest name and all of them."""
    there = listing(names) if names else "none"
    hint = did_you_mean(name, names)
    return TableError(f"{where} has no column {name!r}{hint or '.'} Its columns are: {there}")
