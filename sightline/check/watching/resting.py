"""Looking away: of a long training only every so-many-th backward pass is watched, the others are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import unserializable_hook

from sightline.check.watching.passing import Passing
from sightline.check.watching.places import frame_of_own
from sightline.check.watching.stretch import Stretch

FULL = 2_000  # backward passes of a training that are all watched, where it is not said how many
AFTER = ((20_000, 50), (FULL, 10))  # from so many on, one in so many
FIRST = 100  # the least that is watched where it is said


class Resting(Passing, TorchFunctionMode):
    """Leaves the mode for some backward passes, and comes back through the hooks of optimizers and modules.

    While it is away, a hook on one of the parameters counts the backward passes.  A training by hand has no hook to
    come back through; there a tracing function (``sys.settrace``) runs at the next line of the person's code, and only
    where ``every`` was asked for.  A second training by hand may then be missed, and so may evaluations.
    """

    def __init__(self, max_steps: int | None = None, every: int | None = None) -> None:
        super().__init__(max_steps)
        self.every = every
        self._on = False
        self._away: Stretch | None = None  # the training that is not looked at
        self._left = 0  # backward passes that are still to be skipped
        self._skipped = 0
        self._hook: Any = None
        self._cycle: dict[str, int] = {}  # events of the last watched pass
        self._counted: dict[str, int] | None = None
        self._last_away: Stretch | None = None
        self._sites: set[tuple[Any, int]] = set()  # where modules are called in passes that are watched
        self._light = False  # away, and no module is looked at either
        self._light_steps = 0
        self._planned = self._steps_away = 0
        self._stepped = False  # an optimizer made the last update

    # ------------------------------------------------------------------------------------------------ in and out

    def _enter(self) -> bool:
        """Enter the mode, unless another one of the script's own would then be above or below it in disorder."""
        if not self._on and _modes() == 0:
            self.__enter__()  # type: ignore[no-untyped-call]
            self._on = True
        return self._on

    def _leave(self) -> bool:
        """Leave the mode, if it is the only one."""
        if self._on and _modes() == 1:
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._on = False
        return not self._on

    # ---------------------------------------------------------------------------------------------- passes to skip

    def _passed(self, stretch: Stretch) -> None:
        skip = self._thinned(stretch)
        if not skip:
            return
        counted, self._counted = self._counted, dict(stretch.counts)
        if counted is None or self._last_away is not stretch:
            self._last_away = stretch  # what happens in one pass is known after the next
            return
        self._cycle = {k: n - counted.get(k, 0) for k, n in stretch.counts.items()}
        self._away, self._left, self._skipped = stretch, skip, 0
        self._planned, self._steps_away = skip + 1, 0
        self._hook = stretch.parameters[0].register_hook(self._counter(stretch))
        if self.every is not None and not self._stepped:
            self._at_next_line(self._rest)

    def _thinned(self, stretch: Stretch) -> int:
        """How many of the following backward passes need not be watched."""
        known = stretch.batches.full or stretch.backwards > 50 * FIRST
        if stretch.recreated or stretch.backwards < FIRST or not known:
            return 0
        if self.every is not None:
            return self.every - 1
        if stretch.module is None or not self._stepped:
            return 0  # its evaluations would not be noticed
        return next((every - 1 for least, every in AFTER if stretch.backwards >= least), 0)

    def _counter(self, stretch: Stretch) -> Callable[[Tensor], None]:
        def passed(gradient: Tensor) -> None:
            if self._on:
                return
            if stretch.backwards % stretch.path_stride == 0:
                stretch.note_path()
            stretch.backwards += 1
            self._skipped += 1
            self._left -= 1
            if self._left <= 0 and not self._stepped:
                self._at_next_line(self._wake)

        return unserializable_hook(passed)

    def _rest(self) -> None:
        """Look away, if that is planned."""
        if self._away is not None and self._left > 0 and self._leave():
            self._lighten()

    def _lighten(self) -> None:
        """Where so few looks were asked for, evaluations are not looked for either."""
        if self.every is not None and not self._light:
            self._light = True
            self._modules_seen(False)

    def _step_away(self) -> None:
        """Count a step that is not watched: looks must not end with a parameter that no pass reaches any more."""
        self._steps_away += 1
        if self._steps_away > self._planned:
            self._left = 0

    def _modules_seen(self, wanted: bool) -> None:
        """Put the hook on modules in place, or take it away. Written by the watcher."""
        raise NotImplementedError

    def _wake(self) -> None:
        """Look again."""
        self._forget_rest()
        if self._enter():
            current = self._current
            self._next(None)
            self._close = current is None or current.close_is_due

    def _forget_rest(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        if self._light:
            self._light = False
            self._modules_seen(True)
        stretch = self._away
        if stretch is not None and self._skipped:
            stretch.skipped += self._skipped
            self.recording.backwards += self._skipped
            if self._light_steps:
                stretch.counts["step"] = stretch.counts.get("step", 0) + self._light_steps
                self._light_steps = 0
            for kind, number in self._cycle.items():
                if kind != "step":  # these are counted as they come
                    stretch.counts[kind] = stretch.counts.get(kind, 0) + number * self._skipped
            self._counted = dict(stretch.counts)
        self._away, self._left, self._skipped = None, 0, 0

    def _seen(self) -> None:
        if self._away is not None:
            self._forget_rest()

    # --------------------------------------------------------------------------------------- the person's next line

    def _at_next_line(self, act: Callable[[], Any]) -> None:
        """Call ``act`` when the person's code comes to its next line; not where a debugger traces already."""
        frame = frame_of_own(2)
        if frame is None or sys.gettrace() is not None:
            return
        old = frame.f_trace

        def line(*_: Any) -> None:
            sys.settrace(None)
            frame.f_trace = old
            act()

        frame.f_trace = line
        sys.settrace(lambda *_: None)


def _modes() -> int:
    """How many function modes are entered in this thread."""
    return torch._C._len_torch_function_stack()
