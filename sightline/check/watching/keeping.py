"""The calls between two backward passes in which something trained takes part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sightline.check.watching.operations import Operation, name_of, size_of, still_needed, tensors
from sightline.check.watching.places import frame_outside, spot
from sightline.check.watching.recording import Call, Recording
from sightline.check.watching.stretch import Event, Stretch

MOST_HELD = 256 * 2**20  # bytes of answers between two backward passes that nobody else may hold any more
MOST_OPERATIONS = 20_000
MOST_EVENTS = 2_000
MOST_READ = 2_000
CARRIED = 500  # first backward passes in which values with an old graph are looked for at each call

# Calls that turn scores into predictions, and those that may be part of either that or of a model.
PREDICTS = frozenset((
    "argmax", "argmin", "max", "min", "topk", "round", "gt", "ge", "lt", "le", "eq", "ne", "sign", "numpy",
    "__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__",
))  # fmt: skip
FORMS = frozenset(("dropout", "batch_norm", "sigmoid", "softmax", "log_softmax", "exp", "relu", "where"))


class Keeping:
    """Keeps calls, and the events among them, until a backward pass makes something of them."""

    def __init__(self) -> None:
        self.recording = Recording()
        self._operations: list[Operation] = []
        self._tainted: dict[int, Tensor] = {}  # by id: values without a graph that something trained went into
        self._gradients: dict[int, Tensor] = {}  # by id: gradients, and aliases of them
        self._aliases: dict[int, Tensor] = {}  # id of p.data -> p
        self._held = 0
        self._most_held = MOST_HELD
        self._events: list[Event] = []
        self._close = True
        self._current: Stretch | None = None
        self._alive: set[int] = set()
        self._kinds: dict[Any, int] = {}  # function -> 0 neither, 1 in FORMS, 2 in PREDICTS
        self._read_bytes = 0
        self._zeroing = False  # within an optimizer's zero_grad

    def _takes_part(self, values: Any) -> bool:
        tainted = self._tainted
        for value in values:
            if isinstance(value, Tensor):
                if value.requires_grad or id(value) in tainted:
                    return True
            elif type(value) in (tuple, list) and self._takes_part(value):
                return True
        return False

    def _keep(self, function: Any, args: Any, kwargs: Any, answer: Any, changes: bool = False) -> None:
        graded = torch.is_grad_enabled()
        if args and answer is args[0] and isinstance(answer, Tensor) and self._changed(function, answer):
            return
        if type(answer) is Tensor:
            if not answer.requires_grad:
                self._tainted[id(answer)] = answer
            self._held += answer.numel() * 4
        else:
            for tensor in tensors(answer):
                if not tensor.requires_grad:
                    self._tainted[id(tensor)] = tensor
                self._held += tensor.numel() * 4
        close = self._close
        at = spot(3) if close else None
        self._operations.append(Operation(function, args, kwargs, answer, graded, at, changes))
        if graded and self._alive:
            self._carries(args)
        kind = self._kinds.get(function)
        if kind is None:
            name = name_of(function)
            kind = self._kinds[function] = 2 if name in PREDICTS else 1 if name in FORMS else 0
        if kind and (kind == 2 or close or not graded):
            self._read(function, args, kwargs, answer)
        if self._held > self._most_held or len(self._operations) > MOST_OPERATIONS:
            self._forget()

    def _changed(self, function: Any, target: Tensor) -> bool:
        """Whether a call in place was one on a gradient or on weights, which makes an event of it."""
        if id(target) in self._gradients:
            name = name_of(function)
            if self._zeroing or name in ("requires_grad_", "detach_"):
                return True
            if name in ("zero_", "fill_", "_foreach_zero_"):
                self._event("grad zeroed")
            else:
                clipped = frame_outside().f_code.co_filename.endswith("clip_grad.py")
                self._event("clip" if clipped else "grad changed", merged=True)
            return True
        owner = target if target.is_leaf and target.requires_grad else self._aliases.get(id(target))
        if owner is None or name_of(function) in ("requires_grad_", "retain_grad"):
            return False
        self._event("update", owner)
        return owner is not target

    def _forget(self) -> None:
        """Drop what no backward pass can need any more: evaluations between two of them, mostly."""
        before = len(self._operations)
        self._tainted.clear()  # this very one: the caller has it in its hands
        self._alive = set()
        self._operations = still_needed(self._operations)
        if len(self._operations) > MOST_OPERATIONS // 2:
            self._operations = []
        self._tainted.update(
            {id(t): t for o in self._operations for t in tensors(o.answer) if not t.requires_grad}
        )  # fmt: skip
        left = sum(size_of(t) for o in self._operations for t in tensors(o.answer))
        # What the script itself still holds is not counted twice.
        self._held = 0
        self._most_held = MOST_HELD if len(self._operations) < before / 2 else max(MOST_HELD, left)

    def _carries(self, args: Any) -> None:
        """Count calls that take a value whose graph is of before the last backward pass."""
        for value in args:
            if isinstance(value, Tensor) and id(value) in self._alive and value.grad_fn is not None:
                self.recording.carried += 1
                self.recording.carried_at = self.recording.carried_at or spot(4)
                if self._close and len(self.recording.carried_graphs) < MOST_EVENTS:
                    self.recording.carried_graphs[spot(4)] = value.grad_fn
                return

    def _read(self, function: Any, args: Any, kwargs: Any, answer: Any) -> None:
        at = spot(4)
        key = (function, at)
        seen = self.recording.calls.get(key)
        if seen is None and len(self.recording.calls) > MOST_READ:
            return
        if seen is None:
            self._read_bytes += sum(size_of(t) for t in tensors((args, kwargs, answer)))
        if self._read_bytes > MOST_HELD:
            args, kwargs, answer = (), {}, None
        self.recording.calls[key] = Call(
            name_of(function), at, 1 if seen is None else seen.count + 1, args, kwargs, answer,
            torch.is_grad_enabled(), self.recording.backwards,
        )  # fmt: skip

    def _event(self, kind: str, what: Any = None, *, merged: bool = False) -> None:
        """Note an event; ``merged`` makes one of several in a row."""
        events = self._events
        if merged and events and events[-1].kind == kind:
            return
        if self._current is not None:
            counts = self._current.counts
            counts[kind] = counts.get(kind, 0) + 1
        if len(events) < MOST_EVENTS:
            events.append(Event(kind, spot(4) if self._close else None, what))
