"""`sightline check`: run a training script as it is, and say why it falls short."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.check.command import ASIDE, SHOWN, CannotCheck, Command, must_be_runnable

if TYPE_CHECKING:
    from sightline.check.finding import Report

HEALTHY, FINDINGS, NOT_CHECKED = 0, 1, 2
STDOUT = "-"


def run(
    words: tuple[str, ...], module: str | None, json: str | None, html: str | None, select: tuple[str, ...],
    ignore: tuple[str, ...], time_limit: float | None, max_steps: int | None, every: int | None, no_try: bool,
    quiet: bool, script_output: str | None,
) -> int:  # fmt: skip
    """Check the script or module of ``words`` and print, or write, what was found.

    words : the script and its arguments, or with ``module`` the arguments alone.  json, html : files, '-' for standard
    output, None for none.  The exit code: 0 healthy, 1 findings of error or warning, 2 the script ended in an error
    that no finding explains.

    Raises
    ------
    CannotCheck : what cannot be done, with the sentence for the person; the exit code is 2 then as well.
    """
    if not module and not words:
        raise CannotCheck("name the script to check, as in: sightline check train.py; or -m package.module")
    script, arguments = ("", words) if module else (words[0], words[1:])
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise CannotCheck(f"--time-limit is {time_limit:g}: it must be a positive number of seconds")
    for limit, value in (("--max-steps", max_steps), ("--every", every)):
        if value is not None and value < 1:
            raise CannotCheck(f"{limit} is {value}: it must be a positive number of steps")
    command = Command(
        script=script, module=module or "", arguments=tuple(arguments), time_limit=time_limit, max_steps=max_steps,
        every=every, select=rules("--select", select), ignore=rules("--ignore", ignore), attempt=not no_try,
        script_output=script_output or (ASIDE if json == STDOUT else SHOWN),
    )  # fmt: skip
    left = set(command.select) & set(command.ignore)
    if left:
        raise CannotCheck(f"{', '.join(sorted(left))} is both in --select and in --ignore: leave one of them out")
    must_be_runnable(command)
    # A training may take long: files that cannot be written are found out before it.
    for option, name in (("--json", json), ("--html", html)):
        if name is not None and name != STDOUT:
            _must_be_writable(option, name)
    from sightline.check.checking import check_script

    report = check_script(command)
    deliver(report, json, html, quiet)
    if report.healthy and report.ending == "error":
        return NOT_CHECKED
    return HEALTHY if report.healthy else FINDINGS


def deliver(report: Report, json: str | None, html: str | None, quiet: bool = False) -> None:
    """Print the report, or its JSON in its place, and write the files that are asked for."""
    from sightline.check.faces import as_json, terminal

    if html is not None:
        from sightline.check.faces.page import page
        from sightline.report.writing import write_text

        write_text(Path(html), page(report))
    if json is not None and json != STDOUT:
        from sightline.report.writing import write_text

        write_text(Path(json), as_json.dumps(report))
    if json == STDOUT:
        from sightline.check.faces.encoding import encodable

        sys.stdout.write(encodable(as_json.dumps(report), sys.stdout.encoding))
    elif not quiet:
        terminal.show(report, sys.stdout)
        for option, name in (("json", json), ("page", html)):
            if name is not None:
                sys.stdout.write(f"{option}  {name}\n")
    sys.stdout.flush()


def rules(option: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of ``--select a,b --select c``, each once.

    Raises
    ------
    CannotCheck : no rule has such an id; the nearest one is named.
    """
    from sightline.check.pages import ids, unknown

    found = [name.strip() for text in given for name in text.split(",") if name.strip()]
    if given and not found:
        raise CannotCheck(f"{option} names no rule; `sightline rule` lists them all")
    known = ids() if found else []
    for name in found:
        if name not in known:
            raise CannotCheck(f"{option}: {unknown(name, known)}")
    return tuple(dict.fromkeys(found))


def _must_be_writable(option: str, name: str) -> None:
    """Raises CannotCheck where a file cannot be put at a path, or would take the place of one that is not ours."""
    path = Path(name)
    folder = path.parent
    if path.is_dir():
        raise CannotCheck(f"{option} {name} is a directory: name a file")
    if not folder.is_dir():
        raise CannotCheck(f"{option} {name}: there is no directory {folder}")
    if not os.access(folder, os.W_OK):
        raise CannotCheck(f"{option} {name}: the directory {folder} cannot be written to")
    if path.exists() and not _ours(option, path):
        raise CannotCheck(f"{option} {name} is there and was not written by Sightline: choose another name")


def _ours(option: str, path: Path) -> bool:
    """Whether a file is a page or a JSON of Sightline's, or empty."""
    from sightline.report.writing import is_report

    if option == "--html":
        return path.stat().st_size == 0 or is_report(path)
    with path.open("rb") as file:
        start = file.read(400)
    return not start or (start.lstrip().startswith(b"{") and b'"sightline"' in start)
