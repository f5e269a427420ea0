"""Opening files: one that is missing, a folder, forbidden or damaged is one sentence."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import TableError, closest


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the errors of the operating system and of gzip that come up inside into TableError."""
    try:
        yield
    except TableError:
        raise
    except PermissionError as error:
        raise TableError(f"{path} may not be read: permission denied") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TableError(f"{path} is a damaged or incomplete gzip file: get it again") from error
    except MemoryError as error:
        raise TableError(f"{path} does not fit into memory") from error
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from error


def find(path: str | os.PathLike[str]) -> Path:
    """`path` as that of a file that is there; TableError with the nearest name when it is not."""
    text = os.fspath(path)
    if "://" in text:
        raise TableError(f"{text} is an address, not a file: download it first")
    if not text or "\0" in text:
        raise TableError(f"{text!r} is no name of a file")
    file = Path(text)
    with reading(file):
        if file.is_file():
            return file
        if file.is_dir():
            raise TableError(f"{file} is a folder: name a file in it")
        if file.exists():
            raise TableError(f"{file} is not a regular file: save its content to one first")
        folder = file.parent
        if not folder.is_dir():
            raise TableError(f"there is no file {file}: there is no folder {folder}")
        near = closest(file.name, sorted(os.listdir(folder)))
        hint = "" if near is None else f": did you mean {str(folder / near)!r}?"
        raise TableError(f"there is no file {file}{hint}")


def is_gzip(path: Path) -> bool:
    """Whether the file begins as a gzip file does."""
    with reading(path), path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def head(path: Path, size: int = 1 << 18) -> bytes:
    """The first `size` bytes of the file, uncompressed."""
    with reading(path):
        if is_gzip(path):
            with gzip.open(path, "rb") as unzipped:
                return unzipped.read(size)
        with path.open("rb") as file:
            return file.read(size)


def content(path: Path) -> bytes:
    """The whole file, uncompressed."""
    with reading(path):
        if is_gzip(path):
            with gzip.open(path, "rb") as unzipped:
                return unzipped.read()
        return path.read_bytes()
