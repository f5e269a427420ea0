"""``python -m sightline.check.child``: the process in which a checked script runs, and is judged.

Its one argument is a JSON text with the fields of a ``Command`` and ``answer``, the number of an open file to which it
writes what it found: a line ``started`` when the script starts and ``ended`` when it has ended, then a line of JSON,
the report, then a pickle of the numbers for pictures.  Standard input, output and error are the script's.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sightline.check.command import Command
from sightline.check.watching.running import watch_script

if TYPE_CHECKING:
    from sightline.check.finding import Report
    from sightline.check.watching.recorder import Recording

STARTED, ENDED = b"started\n", b"ended\n"


def main(text: str) -> None:
    """Run and judge the script of a command."""
    told: dict[str, Any] = json.loads(text)
    answer = int(told.pop("answer"))
    os.set_inheritable(answer, False)
    fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
    command = Command(**fields)
    start = os.getcwd()
    file = os.path.abspath(command.script) if command.script else ""
    os.write(answer, STARTED)
    recording = watch_script(
        command.module or command.script, command.arguments, module=bool(command.module),
        time_limit=command.time_limit, max_steps=command.max_steps, every=command.every,
    )  # fmt: skip
    code = _said(recording)
    os.write(answer, ENDED)
    with _neutral(start):
        try:
            report = judged(recording, command, file)
        except KeyboardInterrupt:
            report = short(command, "interrupted while the findings were sought")
    report = replace(report, script=command.name, training={**report.training, "exit_code": code})
    _write(answer, report)


def judged(recording: Recording, command: Command, file: str) -> Report:
    """The report of what was seen; a failure of Sightline's own is said in it."""
    file = file or str(recording.globals.get("__file__") or "")
    try:
        from sightline.check.examining import examine

        report = examine(
            recording, script=file, select=command.select, ignore=command.ignore, attempt=command.attempt
        )  # fmt: skip
    except Exception as error:
        if os.environ.get("SIGHTLINE_DEBUG"):
            raise
        report = short(command, f"could not check: {type(error).__name__} in Sightline itself: {error}")
        report = replace(report, ending=recording.ending, unrecovered=report.verdict)
    notes = [note for note in recording.notes if note not in report.notes]
    return replace(report, notes=(*report.notes, *notes))


@contextlib.contextmanager
def _neutral(start: str) -> Iterator[None]:
    """The folder and PyTorch's settings as they were before the script; its own again for what it does at its exit."""
    import torch

    try:
        folder = os.getcwd()
    except OSError:  # the script has removed it
        folder = start
    dtype, graded = torch.get_default_dtype(), torch.is_grad_enabled()
    os.chdir(start)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(graded)
        os.chdir(folder)


def short(command: Command, verdict: str) -> Report:
    """A report without findings."""
    from sightline.check.finding import Report

    return Report(script=command.name, verdict=verdict, ending="error", error=verdict)


def _said(recording: Recording) -> int:
    """Say on standard error what Python says when a script ends so; its exit code."""
    error = recording.error
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # closed by the script, or nobody reads any more
            continue
    if recording.ending == "error" and error is not None:
        from sightline.check.watching.tracebacks import show

        show(error)
        return 1
    if recording.ending == "interrupted":
        return 130
    if not isinstance(error, SystemExit) or error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    sys.stderr.write(f"{error.code}\n")
    return 1


def _write(answer: int, report: Report) -> None:
    from sightline.check.faces import as_json

    text = json.dumps(as_json.to_dict(report), ensure_ascii=True, allow_nan=False)
    try:
        drawn = pickle.dumps(report.drawn)
    except Exception:  # numbers of the script's own types: no pictures
        drawn = pickle.dumps(None)
    with os.fdopen(answer, "wb") as file:
        file.write(text.encode() + b"\n" + drawn)


if __name__ == "__main__":
    main(sys.argv[1])
