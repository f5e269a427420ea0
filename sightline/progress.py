"""Progress on standard error: shown only when there is a terminal and the work takes longer than a second."""

from __future__ import annotations

import math
import sys
import threading
import time
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.status import Status
    from rich.text import Text

DELAY = 1.0  # seconds before anything is shown


class Progress:
    """A line that says what goes on; the callback of a fit.  hint : what the line ends with."""

    def __init__(
        self, file: IO[str] | None = None, *, delay: float = DELAY, quiet: bool = False,
        hint: str = "Ctrl-C keeps the best so far",
    ) -> None:
        self.file = sys.stderr if file is None else file
        self.hint = hint
        self.delay = delay
        self.silent = quiet or not self.file.isatty()
        self.begun = time.perf_counter()
        self._what = ""
        self._status: Status | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        if not self.silent:
            self._timer = threading.Timer(self.delay, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self.silent = True
            if self._status is not None:
                self._status.stop()

    def _show(self) -> None:
        from rich.console import Console

        with self._lock:
            if self.silent:
                return
            console = Console(file=self.file, highlight=False, emoji=False)
            self._status = console.status(self._line())
            self._status.start()

    def _line(self) -> Text:
        from rich.text import Text

        seconds = time.perf_counter() - self.begun
        words = f"{self._what} · {seconds:.0f} s · {self.hint}"
        return Text(words, no_wrap=True, overflow="ellipsis")

    def stage(self, what: str) -> None:
        """Say what is being done now."""
        self._what = what
        self._refresh()

    def _refresh(self) -> None:
        if self._status is not None:
            with self._lock:
                if self._status is not None and not self.silent:
                    self._status.update(self._line())

    def __call__(self, number: int, step: Any) -> bool:
        """The driver's callback: the step and its proven gap."""
        if not self.silent:
            gap = step.bound.gap
            proven = f"proven gap {gap:.1e}" if math.isfinite(gap) else "no bound on the gap yet"
            self.stage(f"step {number} · objective {step.value:.6g} · {proven}")
        return False
