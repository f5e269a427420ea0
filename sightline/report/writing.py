"""The report's file: known as ours, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sightline.tables import TableError

GENERATOR = '<meta name="generator" content="Sightline'


def is_report(path: Path) -> bool:
    """Whether the file is a report of Sightline's."""
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(4096)
    except OSError:
        return False


def write_text(path: Path, content: str) -> None:
    """Put text at ``path``, whole or not at all; what was there before stays where that fails.

    Raises TableError, a ValueError, with the file's name and the system's reason.
    """
    temporary = None
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            raise TableError(f"cannot write {path}: there is something there that is not a file")
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part")
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise TableError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
