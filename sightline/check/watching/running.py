"""Run a script, or a module, under the watcher: its own arguments, its own folder, its own errors."""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from sightline.check.watching.recorder import Recording, StopWatching, Watcher


class TimeIsUp(BaseException):
    """Raised in the script at the time limit."""


def watch_script(
    script: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    time_limit: float | None = None,
    max_steps: int | None = None,
) -> Recording:
    """Run ``script`` as ``python script arguments`` would, watched, in this process.

    module : ``script`` is the name of a module, as after ``python -m``.
    time_limit : seconds of wall time; max_steps : backward passes.  At either the script is ended and what was seen until
        then is given; ``ending`` says which.

    An error of the script is in ``error`` of what comes back, with its traceback; ``SystemExit`` too.
    """
    watcher = Watcher(max_steps=max_steps)
    recording = watcher.recording
    old_argv, old_path = sys.argv, list(sys.path)
    sys.argv = [script, *arguments]
    if not module:
        sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    else:
        sys.path.insert(0, os.getcwd())
    try:
        with _alarm(time_limit):
            watcher.start()
            try:
                if module:
                    recording.globals = runpy.run_module(script, run_name="__main__", alter_sys=True)
                else:
                    recording.globals = runpy.run_path(script, run_name="__main__")
            finally:
                watcher.stop()
    except TimeIsUp as error:
        recording.ending, recording.error = "time limit", error
    except StopWatching as error:
        recording.ending, recording.error = "step limit", error
    except KeyboardInterrupt as error:
        recording.ending, recording.error = "interrupted", error
    except SystemExit as error:
        recording.ending = "finished" if error.code in (None, 0) else "exit"
        recording.error = error
    except Exception as error:
        recording.ending, recording.error = "error", error
    finally:
        sys.argv, sys.path[:] = old_argv, old_path
    return recording


@contextlib.contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    if seconds is None or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TimeIsUp(f"{seconds:g} s")

    old = signal.signal(signal.SIGALRM, ring)
    # Again every second: a script's own bare ``except`` may have taken the first.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
