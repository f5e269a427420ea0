"""Watching a training from within Python: ``with sl.watch() as training``, and ``%%sightline`` in notebooks."""

from __future__ import annotations

import io
import os
import shlex
from collections.abc import Sequence
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from sightline.check.finding import Report
    from sightline.check.watching.recorder import Recording, Watcher

FRAME = '<iframe srcdoc="{}" style="width:100%;height:{}px;border:0" title="Sightline"></iframe>'
HEIGHT = 720  # pixels


class watch:
    """Watch the training in a ``with`` block, and say afterwards why it falls short.

    ::

        with sl.watch() as training:
            for xb, yb in loader:
                ...
        training.report()

    every : of a long training look at every so-many-th backward pass only, after a first phase in which all are looked
        at; None for as many as the watching finds fit.
    max_steps : end the block after so many updates, None for no limit.
    attempt : whether mends are tried when the report is made.
    select : ids of the rules to ask, empty for all.  ignore : ids of those to leave out.

    An error in the block is passed on after it was recorded.  Nothing that the block computes is changed.
    """

    def __init__(
        self, every: int | None = None, *, max_steps: int | None = None, attempt: bool = True,
        select: Sequence[str] = (), ignore: Sequence[str] = (),
    ) -> None:  # fmt: skip
        for name, value in (("every", every), ("max_steps", max_steps)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: it must be a positive number of steps, or None.")
        self.every = every
        self.max_steps = max_steps
        self.attempt = attempt
        self.select = tuple(select)
        self.ignore = tuple(ignore)
        self._watcher: Watcher | None = None
        self._report: Report | None = None
        self._script = ""
        self._running = False

    def __enter__(self) -> Self:
        from sightline.check.watching.places import frame_of_own
        from sightline.check.watching.recorder import Watcher

        if self._running:
            raise RuntimeError("this watch has begun already: make another one for a training within the training.")
        frame = frame_of_own(2)
        self._script = "" if frame is None else frame.f_code.co_filename
        self._watcher, self._report, self._running = Watcher(self.max_steps, self.every), None, True
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        from sightline.check.watching.recorder import StopWatching

        watcher, self._running = self._watcher, False
        assert watcher is not None
        watcher.stop()
        recording = watcher.recording
        recording.error = error
        if isinstance(error, StopWatching):
            recording.ending = "step limit"
            return True
        if error is not None:
            recording.ending = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
        return False

    @property
    def recording(self) -> Recording:
        """What was seen.

        Raises
        ------
        RuntimeError : the block has not begun.
        """
        if self._watcher is None:
            raise RuntimeError("nothing was watched yet: put the training into `with sl.watch() as training:`.")
        return self._watcher.recording

    def report(self) -> Report:
        """The findings; made when it is first asked for, which may take some seconds.

        Raises
        ------
        RuntimeError : the block has not begun, or has not ended.
        """
        recording = self.recording
        if self._running:
            raise RuntimeError("the training is still being watched: ask for its report after the `with` block.")
        if self._report is None:
            from dataclasses import replace

            from sightline.check.examining import examine

            file = "" if self._script.startswith("<") else self._script
            report = examine(recording, script=file, select=self.select, ignore=self.ignore, attempt=self.attempt)
            if not file or not os.path.exists(file):
                report = replace(report, script="the cell")
            notes = [note for note in recording.notes if note not in report.notes]
            self._report = replace(report, notes=(*report.notes, *notes))
        return self._report

    def __repr__(self) -> str:
        if self._watcher is None or self._running:
            return f"<watch: {'running' if self._running else 'not begun'}>"
        from sightline.check.faces import terminal

        text = io.StringIO()
        terminal.show(self.report(), text)
        return text.getvalue().rstrip("\n")

    def _repr_html_(self) -> str | None:
        if self._watcher is None or self._running:
            return None
        from sightline.check.faces.page import page

        # The page has styles of its own, which are kept from the notebook's by a frame.
        return FRAME.format(escape(page(self.report()), quote=True), HEIGHT)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext sightline``: adds the magic ``%%sightline`` to an IPython shell."""

    def sightline(line: str, cell: str) -> watch | None:
        """Run the cell, watched, and show why its training falls short.

        Options: --every K, --max-steps N, --no-try, --select RULE,..., --ignore RULE,...
        """
        training = watch(**options(line))
        with training:
            training._script = ""  # what the cell's lines are, the shell knows
            result = shell.run_cell(cell)
            error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
        if error is not None:
            # The shell has shown it, and does not pass it on.
            training.recording.error = error
            training.recording.ending = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            if type(error).__name__ == "StopWatching":
                training.recording.ending, training.recording.error = "step limit", None
        return training

    shell.register_magic_function(sightline, magic_kind="cell", magic_name="sightline")


def options(line: str) -> dict[str, Any]:
    """The arguments of ``watch`` in a line of options: '--every 10 --no-try'.

    Raises
    ------
    ValueError : an option that there is not, or that lacks its value.
    """
    found: dict[str, Any] = {}
    words = iter(shlex.split(line))
    for word in words:
        name, equals, value = word.partition("=")
        if name == "--no-try":
            found["attempt"] = False
            continue
        if name not in ("--every", "--max-steps", "--select", "--ignore"):
            known = "--every, --max-steps, --select, --ignore and --no-try"
            raise ValueError(f"%%sightline: there is no option {word!r}; there are {known}.")
        value = value if equals else next(words, "")
        key = name[2:].replace("-", "_")
        if name in ("--select", "--ignore"):
            found[key] = [rule for rule in value.split(",") if rule]
        elif value.isdecimal():
            found[key] = int(value)
        else:
            raise ValueError(f"%%sightline: {name} needs a positive number of steps, not {value!r}.")
    return found
