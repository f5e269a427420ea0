"""A script, watched and judged in a process of its own: from the command to the report."""

from __future__ import annotations

import json
import math
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from typing import IO

from sightline.check.child import ENDED, STARTED
from sightline.check.command import ASIDE, HIDDEN, CannotCheck, Command, must_be_runnable
from sightline.check.faces import as_json
from sightline.check.finding import Report

GRACE = 10.0
"""Seconds after the time limit that a script is left to end, before it is ended by force."""
HEARD = 2.0
"""Seconds after Ctrl-C in which a script is taken to have been told by the terminal."""
POLL = 0.05


def check_script(command: Command) -> Report:
    """Run the script, watch it, recover its problem, ask the rules, try their mends.

    The script runs in a child process with its own arguments, this process's folder, environment and streams.  One
    that ends its process itself (``os._exit``, a crash) gives a report that says so.

    Raises
    ------
    CannotCheck : there is no such script or module, or it is no Python, with the sentence for the person.
    """
    must_be_runnable(command)
    if os.name != "posix":
        raise CannotCheck("sightline check runs on Linux and macOS; elsewhere use sl.watch() around the training")
    # A file without a name: it is gone when both processes are, however they end.
    with tempfile.TemporaryFile() as answer:
        told = {**asdict(command), "answer": answer.fileno()}
        child = subprocess.Popen(
            [sys.executable, "-c", _BEGIN, json.dumps(told)],
            stdout=_stream(command.script_output),
            stderr=subprocess.DEVNULL if command.script_output == HIDDEN else None,
            pass_fds=[answer.fileno()],
        )  # fmt: skip
        late = _wait(child, answer, command.time_limit)
        answer.seek(0)
        return _report(command, answer.read(), child.returncode, late)


# As ``python -m sightline.check.child``, from this very package and without a word in the script's sys.path.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_BEGIN = (
    f"import sys; sys.path.insert(0, {_ROOT!r}); from sightline.check.child import main; "
    f"sys.path.remove({_ROOT!r}); main(sys.argv[1])"
)


def _stream(output: str) -> int | IO[str] | None:
    if output == HIDDEN:
        return subprocess.DEVNULL
    return 2 if output == ASIDE else None


def _wait(child: subprocess.Popen[bytes], answer: IO[bytes], limit: float | None) -> bool:
    """Wait for the child's end; whether it had to be ended since the script did not let go at its time limit."""
    began: float | None = None
    asked: float | None = None  # when the person pressed Ctrl-C
    while True:
        try:
            # Without a limit there is nothing to look for in between.
            child.wait(POLL if limit is not None or asked is not None else None)
            return False
        except subprocess.TimeoutExpired:
            now, written = time.monotonic(), os.fstat(answer.fileno()).st_size
            ended = written > len(STARTED)
            if began is None and written:
                began = now
            if limit is not None and began is not None and not ended and now > began + limit + GRACE:
                child.kill()
                child.wait()
                return True
            if asked is not None and not ended and now > asked + HEARD:
                child.send_signal(signal.SIGINT)  # the terminal tells both; others tell this process alone
                asked = math.inf
        except KeyboardInterrupt:
            # The child ends the script and says what it saw; who asks again does not want to wait for that.
            if asked is not None:
                child.kill()
            asked = time.monotonic()


def _report(command: Command, written: bytes, code: int, late: bool) -> Report:
    """The report that the child wrote, or one that says why there is none."""
    ended = written.startswith(STARTED + ENDED)
    text, _, drawn = written[len(STARTED + ENDED) :].partition(b"\n")
    if ended and drawn:
        report = as_json.loads(text.decode())
        try:
            return replace(report, drawn=pickle.loads(drawn))
        except Exception:  # numbers of a type that only the script knows: no pictures
            return report
    if late:
        reason = f"the script did not end at its time limit of {command.time_limit:g} s, and was ended by force"
    elif code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        reason = f"the process of the script was ended by {name}"
    elif ended:
        reason = f"the process ended with code {code} while the findings were sought"
    elif not written:
        reason = f"Python could not be started, and ended with code {code}"
    else:
        reason = f"the script ended its process itself (os._exit), with code {code}"
    return Report(
        script=command.name, verdict=f"could not check: {reason}", ending="error", error=reason,
        training={"exit_code": code},
    )  # fmt: skip
