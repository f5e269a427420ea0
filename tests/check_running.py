"""Scripts checked in this process: for tests that ask for findings, not for the command."""

from __future__ import annotations

import contextlib
import io
import os
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sightline.check.examining import examine
from sightline.check.finding import Report
from sightline.check.watching.running import watch_script

SECONDS = 60.0  # no script of the tests comes near it


def checked(script: Path, *, select: Sequence[str] = (), attempt: bool = True) -> Report:
    """The report of a script that runs here; default dtype, random numbers and working directory are put back."""
    dtype, state = torch.get_default_dtype(), np.random.get_state()  # noqa: NPY002 # what scripts seed
    folder = os.getcwd()
    try:
        with torch.random.fork_rng(), warnings.catch_warnings(), _quiet():
            warnings.simplefilter("ignore")
            os.chdir(script.parent)
            recording = watch_script(str(script), time_limit=SECONDS)
            return examine(recording, script=str(script), select=select, attempt=attempt)
    finally:
        os.chdir(folder)
        torch.set_default_dtype(dtype)
        np.random.set_state(state)  # noqa: NPY002


def checked_text(folder: Path, text: str, *, select: Sequence[str] = (), attempt: bool = True) -> Report:
    """The report of a script given by its text, which is written into a folder first."""
    script = folder / "train.py"
    script.write_text(textwrap.dedent(text), encoding="utf-8")
    import linecache

    linecache.checkcache(str(script))
    return checked(script, select=select, attempt=attempt)


def serious(report: Report) -> list[str]:
    """The rules with a verdict of error or warning, most important first."""
    return [f.rule for f in report.findings if f.severity.value != "advice"]


@contextlib.contextmanager
def _quiet():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
