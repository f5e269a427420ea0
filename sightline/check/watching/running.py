"""Run a script, or a module, under the watcher: its own arguments, its own folder, its own errors."""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sightline.check.watching.awaiting import AfterTorch

if TYPE_CHECKING:
    from sightline.check.watching.recorder import Recording, Watcher


class TimeIsUp(BaseException):
    """Raised in the script at the time limit."""


def watch_script(
    script: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    time_limit: float | None = None,
    max_steps: int | None = None,
    every: int | None = None,
) -> Recording:
    """Run ``script`` as ``python script arguments`` would, watched, in this process.

    module : ``script`` is the name of a module, as after ``python -m``.
    time_limit : seconds of wall time; max_steps : updates.  At either the script is ended and what was seen until then
        is given; ``ending`` says which.  every : see ``Watcher``.

    An error of the script is in ``error`` of what comes back, with its traceback; ``SystemExit`` too.  What the script
    defined stays ``sys.modules["__main__"]`` while it runs, so that its classes can be pickled.
    """
    watchers: list[Watcher] = []

    def begin() -> None:
        from sightline.check.watching.recorder import Watcher

        watchers.append(Watcher(max_steps=max_steps, every=every))
        watchers[0].start()

    waiting = AfterTorch(begin)
    ending, error, names = "finished", None, {}
    main, old_argv, old_path = sys.modules["__main__"], sys.argv, list(sys.path)
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.getcwd() if module else os.path.dirname(os.path.realpath(script))
    try:
        with _alarm(time_limit):
            waiting.install()
            try:
                names = runpy.run_module(script, run_name="__main__", alter_sys=True) if module else _run(script)
            finally:
                waiting.withdraw()
                for watcher in watchers:
                    watcher.stop()
    except BaseException as found:
        ending, error = _ending(found), found
        if not module:
            names = dict(vars(sys.modules["__main__"]))
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = main, old_argv, old_path
    if not watchers:
        from sightline.check.watching.recorder import Watcher

        watchers.append(Watcher())
        watchers[0].recording.notes.append("The script did not import PyTorch.")
    recording = watchers[0].recording
    recording.ending, recording.error, recording.globals = ending, error, names
    return recording


def _ending(error: BaseException) -> str:
    if isinstance(error, TimeIsUp):
        return "time limit"
    if type(error).__name__ == "StopWatching":
        return "step limit"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):
        return "finished" if error.code in (None, 0) else "exit"
    return "error"


def _run(script: str) -> dict[str, Any]:
    """Run a file as Python runs its main script; the names that it leaves."""
    file = os.path.abspath(script)
    main = ModuleType("__main__")
    names = vars(main)
    names.update(__file__=file, __builtins__=__builtins__, __cached__=None, __spec__=None, __package__=None)
    names.update(__annotations__={}, __loader__=SourceFileLoader("__main__", file))
    sys.modules["__main__"] = main
    with io.open_code(file) as stream:
        source = stream.read()
    exec(compile(source, file, "exec", dont_inherit=True), names)
    return dict(names)


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
