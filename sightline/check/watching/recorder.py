"""The watcher: a mode that sees each call of PyTorch, and hooks on modules and optimizers.

Only public hooks: ``TorchFunctionMode``, ``register_module_forward_pre_hook``, ``register_optimizer_step_pre_hook``,
``register_optimizer_step_post_hook`` and ``Tensor.register_hook``.  Calls in which nothing trained takes part are let
through at once; the others are kept until the next backward pass, which turns them into a ``Program`` or forgets them.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from sightline.check.watching.keeping import MOST_EVENTS
from sightline.check.watching.operations import name_of
from sightline.check.watching.passing import descends
from sightline.check.watching.places import frame_of_own, spot
from sightline.check.watching.recording import Call, Recording, Run, StopWatching
from sightline.check.watching.resting import Resting
from sightline.check.watching.stretch import Event, SeenOptimizer, copies

__all__ = ["Call", "Recording", "StopWatching", "Watcher"]

_WITH_MODE = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)
SITES = 500  # backward passes after which the lines that call modules are noted
_is_compiling = torch.compiler.is_compiling  # its tracer would else trace the watcher
_PLAIN = frozenset((bool, int, float, str, torch.Size, torch.dtype, torch.device, torch.layout))


class Watcher(Resting):
    """Watches the thread that starts it until it is stopped; ``recording`` is what it saw.

    max_steps : raise ``StopWatching`` in the script after that many updates.
    every : after a first phase, in which everything is watched, look at every so-many-th backward pass; None for all of
        them, and fewer in long trainings.
    """

    def __init__(self, max_steps: int | None = None, every: int | None = None) -> None:
        super().__init__(max_steps, every)
        self._hooks: list[Any] = []
        self._stepping: list[tuple[Event, list[Tensor] | None]] = []
        self._asleep = False  # lets all calls through
        self._started = 0.0
        self._thread = 0
        self._module_hook: Any = None
        self._stepper: SeenOptimizer | None = None  # the last optimizer that made a step

    # ------------------------------------------------------------------------------------------------ in and out

    def start(self) -> None:
        """Put the hooks in place and begin."""
        self._started = time.perf_counter()
        self._thread = threading.get_ident()
        self._modules_seen(True)
        self._hooks = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        _active.add(self)
        self.__enter__()  # type: ignore[no-untyped-call]
        self._on = True

    def _modules_seen(self, wanted: bool) -> None:
        if wanted and self._module_hook is None:
            self._module_hook = register_module_forward_pre_hook(self._module)
        elif not wanted and self._module_hook is not None:
            self._module_hook.remove()
            self._module_hook = None

    def stop(self) -> None:
        """Take the hooks away; whatever the script left behind is looked at here."""
        _active.discard(self)
        if self._on:
            self._leave()
        self._asleep = True
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._forget_rest()
        self._modules_seen(False)
        recording, stretch = self.recording, self._current
        recording.seconds = time.perf_counter() - self._started
        recording.last_operations = self._operations
        if stretch is None:
            recording.stray_events = list(self._events)
        else:
            stretch.tail = list(self._events)
            if stretch.recreated:
                self._newest()
        if not recording.backwards:
            recording.notes.append(
                "There was no backward pass: a training that computes its gradients by hand, or in NumPy, is not seen."
            )
        for reason, count in self._not_followed.items():
            passes = "backward pass" if count == 1 else "backward passes"
            recording.notes.append(f"{count} {passes} could not be followed: {reason}.")
        skipped = sum(s.skipped for s in recording.stretches)
        if skipped:
            recording.notes.append(f"{skipped} of {recording.backwards} backward passes were counted without a look.")

    def _newest(self) -> None:
        """The leaves that the last update out of place made take the place of those before it."""
        stretch = self._current
        assert stretch is not None
        made = [o.answer for o in self._operations if isinstance(o.answer, Tensor)]
        newest = []
        for old in stretch.parameters:
            same = [t for t in made if t.shape == old.shape and t.is_leaf and t.dtype == old.dtype and t.requires_grad]
            same = [t for t in same if descends([t], [old], self._operations)]
            newest.append(same[-1] if same else old)
        stretch.parameters = newest

    # ------------------------------------------------------------------------------------------------------ calls

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let the call through, and keep it if something trained takes part in it."""
        if self._asleep or _is_compiling():
            return function(*args, **(kwargs or {}))
        special = self._special.get(function)
        if special is not None:
            return special(function, args, kwargs or {})
        try:
            answer = function(*args, **kwargs) if kwargs else function(*args)
        except Exception as error:
            self._fail(function, args, kwargs or {}, error, spot())
            raise
        kind = type(answer)
        if kind is Tensor:
            tainted = self._tainted
            for value in args:
                if isinstance(value, Tensor):
                    if value.requires_grad or id(value) in tainted:
                        self._keep(function, args, kwargs or {}, answer)
                        return answer
                elif type(value) in (tuple, list) and self._takes_part(value):
                    self._keep(function, args, kwargs or {}, answer)
                    return answer
            if kwargs and self._takes_part(kwargs.values()):
                self._keep(function, args, kwargs, answer)
        elif answer is None:
            self._silent(function, args)
        elif kind not in _PLAIN:
            self._unusual(function, args, kwargs or {}, answer)
        return answer

    def _called(self, function: Any, args: Any, kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            self._fail(function, args, kwargs, error, spot(3))
            raise

    def _silent(self, function: Any, args: Any) -> None:
        """A call without an answer: the end of an optimizer's zero_grad, or a change of many gradients at once."""
        if not args:
            return
        first = args[0]
        if self._zeroing and not isinstance(first, Tensor | list | tuple | bool):
            self._zeroing = False
        elif type(first) in (list, tuple) and name_of(function).endswith("_"):
            self._all_changed(function, first)

    def _all_changed(self, function: Any, targets: Any) -> bool:
        """Whether a call on many tensors at once changed gradients or weights."""
        found = [isinstance(t, Tensor) and self._changed(function, t) for t in targets]
        return any(found)

    def _unusual(self, function: Any, args: Any, kwargs: Any, answer: Any) -> None:
        """Answers of other kinds: parameters, several tensors, arrays, the profiler's records."""
        if isinstance(answer, Tensor | tuple | list):
            many = args and type(args[0]) in (list, tuple) and name_of(function).endswith("_")
            if many and self._all_changed(function, args[0]):
                return
            if self._takes_part(args) or self._takes_part(kwargs.values()):
                self._keep(function, args, kwargs, answer)
        elif args and isinstance(args[0], str):
            if "zero_grad" in args[0]:  # Optimizer.zero_grad says so to the profiler
                self._event("zero_grad")
                self._zeroing = True
        elif args and isinstance(args[0], Tensor) and self._takes_part(args):
            self._read(function, args, kwargs, answer)  # .numpy()

    # ------------------------------------------------------------------------------------------------------ hooks

    def _module(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() != self._thread or _is_compiling():
            return
        recording = self.recording
        key = id(module)
        count = recording.module_calls.get(key, 0)
        if not count and len(recording.modules) < MOST_EVENTS:
            recording.modules[key] = module
        recording.module_calls[key] = count + 1
        if isinstance(module, _WITH_MODE):
            given = args[0] if args and isinstance(args[0], Tensor) else None
            recording.runs[key] = Run(
                module, spot(), module.training, torch.is_grad_enabled(), recording.backwards, given
            )
        if self._away is not None or not self._on or recording.backwards > SITES or self.every is not None:
            self._site()

    def _site(self) -> None:
        """Look again where a module is called to evaluate, and away where it is called to be trained."""
        frame = frame_of_own(4)
        site = (None, 0) if frame is None else (frame.f_code, frame.f_lineno)
        if self._away is None:
            if not self._on:  # a step has raised
                self._stepping.clear()
                self._enter()
            if len(self._sites) < MOST_EVENTS:
                self._sites.add(site)
        elif self._left <= 0:
            self._wake()
        elif not torch.is_grad_enabled() or site not in self._sites:
            if self._enter():
                self._close = False
        elif self._on:
            self._rest()

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        stepper = self._stepper
        if self._light and self._left > 0 and stepper is not None and optimizer is stepper.optimizer:
            stepper.steps += 1
            self._light_steps += 1
            self._step_away()
            return None
        if threading.get_ident() != self._thread or _is_compiling():
            return None
        recording = self.recording
        seen = next((o for o in recording.optimizers if o.optimizer is optimizer), None)
        if seen is None:
            seen = SeenOptimizer(optimizer, spot())
            recording.optimizers.append(seen)
            if self._away is not None:
                self._left = 0  # another training has begun
        seen.steps += 1
        self._stepped, self._stepper = True, seen
        if self._away is not None:
            self._step_away()
        self._belongs(seen)
        close = self._close and self._away is None
        event = Event("step", spot() if close else None, seen)
        old = None
        if close:
            event.grads = tuple([None if p.grad is None else float(p.grad.detach().norm()) for p in seen.parameters])
            event.options = tuple([{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups])
            old = copies(seen.parameters)
        self._stepping.append((event, old))
        self._asleep = self._on and not self._leave()
        return self._closure(args, kwargs)

    def _belongs(self, seen: SeenOptimizer) -> bool:
        """Whether an optimizer is one of the current training's; the first one is, whatever it was given."""
        current = self._current
        if current is None:
            return False
        if any(o is seen for o in current.optimizers):
            return True
        mine = {id(p) for p in current.parameters}
        first = not current.optimizers and self._away is None
        if first or any(id(p) in mine for p in seen.parameters):
            current.optimizers.append(seen)
            return True
        return False

    def _closure(self, args: Any, kwargs: Any) -> Any:
        """Arguments of a step with a closure that is watched in place of the person's; None where there is none."""
        place = next((i for i, a in enumerate(args[1:], 1) if callable(a)), None)
        closure = kwargs.get("closure") if place is None else args[place]
        if not callable(closure):
            return None

        def watched(*a: Any, **k: Any) -> Any:
            asleep, self._asleep = self._asleep, False
            entered = not self._on and self._away is None and self._enter()
            try:
                return closure(*a, **k)
            finally:
                if entered:
                    self._leave()
                self._asleep = asleep

        if place is None:
            return args, {**kwargs, "closure": watched}
        return (*args[:place], watched, *args[place + 1 :]), kwargs

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._stepping or threading.get_ident() != self._thread:
            self._may_step_on(self._stepper)
            return
        event, old = self._stepping.pop()
        if old is not None:
            event.changed = any(not torch.equal(a, b.detach()) for a, b in zip(old, event.what.parameters))
        self._asleep = False
        if self._away is None:
            self._enter()
        elif self._left <= 0:
            self._wake()
        else:
            self._lighten()
        current = self._current
        if current is not None and self._belongs(event.what):  # a closure has made the first backward pass
            current.counts["step"] = current.counts.get("step", 0) + 1
        if len(self._events) < MOST_EVENTS:
            self._events.append(event)
        self._may_step_on(event.what)

    def _may_step_on(self, seen: SeenOptimizer | None) -> None:
        if self.max_steps is not None and seen is not None and seen.steps >= self.max_steps:
            raise StopWatching(f"{self.max_steps} steps")


_active: weakref.WeakSet[Watcher] = weakref.WeakSet()


def _sleep_in_child() -> None:
    """A worker process that was forked from the script is not watched."""
    for watcher in list(_active):
        watcher.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_sleep_in_child)
