"""The folder that `fit` writes: made in time, never over something that is not ours, each file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.report.writing import is_report
from sightline.tables import TableError

MODEL, REPORT = "model.safetensors", "report.html"


def default_folder(target: str | None) -> str:
    """`sightline-TARGET`, with what a folder's name cannot hold replaced."""
    name = re.sub(r"[^\w.+-]+", "-", target or "model").strip(".-")[:80] or "model"
    return f"sightline-{name}"


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """The folder of that name, made if it is not there, for a model and a report.

    One that was made is removed again where the work in the block fails, unless something was written.
    Raises TableError where it cannot be written to, or holds a model or report that is not Sightline's.
    """
    path = Path(name)
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".sightline-"):
            pass
    except FileExistsError:
        raise TableError(f"--out {name} is a file: name a folder") from None
    except OSError as error:
        raise TableError(f"cannot write to the folder {name}: {error.strerror or error}; --out names another") from None
    try:
        for file, ours in ((path / MODEL, is_model), (path / REPORT, is_report)):
            if os.path.lexists(file) and not ours(file):
                raise TableError(f"{file} is there and was not written by Sightline: choose another folder by --out")
        yield path
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise


def is_model(path: Path) -> bool:
    """Whether the file is a model of Sightline's."""
    import sightline as sl

    try:
        sl.load(path)
    except (ValueError, OSError):
        return False
    return True

