"""Backward passes: each is matched with the training that it belongs to, and noted there."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sightline.check import program as programs
from sightline.check.watching.changing import Changing
from sightline.check.watching.keeping import CARRIED
from sightline.check.watching.naming import names_of, namespace
from sightline.check.watching.operations import Failure, Operation, tensors
from sightline.check.watching.places import Spot, frame_of_own, spot
from sightline.check.watching.recording import StopWatching
from sightline.check.watching.stretch import Beat, Stretch, copies
from sightline.check.watching.templates import Template

MOST_STRETCHES = 64
MOST_LOSSES_ALIVE = 512
MOST_FAILURES = 50
MOST_TEMPLATES = 1000
LONGEST_TEMPLATE = 500
PREVIOUS = 64 * 2**20  # bytes of answers up to which the calls before the last backward pass are held as well


class Passing(Changing):
    """Turns each backward pass into a line of the training that it belongs to.

    max_steps : raise ``StopWatching`` in the script after that many updates.
    """

    def __init__(self, max_steps: int | None = None) -> None:
        super().__init__()
        self.max_steps = max_steps
        self._templates: dict[Any, Template] = {}
        self._previous: list[Operation] = []
        self._not_followed: dict[str, int] = {}
        self._special |= {
            Tensor.backward: self._backward,
            torch.autograd.backward: self._backward,
            torch.autograd.grad: self._grad,
        }

    def _fail(self, function: Any, args: Any, kwargs: Any, error: BaseException, at: Spot | None) -> None:
        if len(self.recording.failures) >= MOST_FAILURES:  # a script that goes on after its errors: the last ones
            self.recording.failures.pop(0)
        self.recording.failures.append(Failure(function, args, kwargs, error, at))

    def _backward(self, function: Any, args: Any, kwargs: Any) -> Any:
        losses = list(tensors(args[0] if args else kwargs.get("tensors", ())))
        return self._pass(function, args, kwargs, losses, None)

    def _grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        losses = list(tensors(args[0] if args else kwargs.get("outputs", ())))
        wanted = args[1] if len(args) > 1 else kwargs.get("inputs", ())
        return self._pass(function, args, kwargs, losses, list(tensors(wanted)))

    def _pass(self, function: Any, args: Any, kwargs: Any, losses: list[Tensor], wanted: list[Tensor] | None) -> Any:
        """Make the backward pass, and note it; ``wanted`` are the tensors whose gradients are returned."""
        recording = self.recording
        self._seen()
        self._may_go_on(recording.backwards)
        at = spot(4)
        loss = losses[0] if losses else None
        stretch, program, inputs = self._recognised(loss, at) if loss is not None else (None, None, None)
        close = stretch is not None and stretch.is_close()
        weights: list[Tensor] = []
        before: list[Tensor | None] = []
        if stretch is not None and loss is not None and close:
            program = program or programs.build(self._operations, loss)
            weights, before = copies(stretch.parameters), _gradients(stretch.parameters)
        try:
            answer = function(*args, **kwargs)
        except Exception as error:
            self._fail(function, args, kwargs, error, at)
            raise
        recording.backwards += 1
        if stretch is None or loss is None:
            recording.unseen += 1
            self._next(loss)
            return answer
        value = _value(loss)
        if inputs is not None and not (stretch.batches.full and not close):
            kept = stretch.batches.take(inputs) or stretch.batches.copies(inputs)
            if close and program is not None:
                program = replace(program, values=dict(zip(program.inputs, kept)))
        if close:
            after = _gradients(stretch.parameters) if wanted is None else _returned(answer, wanted, stretch.parameters)
            stretch.note_beat(
                Beat(stretch.backwards, at, value, program, weights, before, after, self._events, wanted is not None)
            )
        stretch.note_loss(value)
        stretch.note_path()
        stretch.backwards += 1
        stretch.ended = time.perf_counter()
        self._current = stretch
        self._next(loss)
        if wanted is not None:
            for gradient in tensors(answer):
                self._gradients[id(gradient)] = self._tainted[id(gradient)] = gradient
        self._passed(stretch)
        return answer

    def _seen(self) -> None:
        """A backward pass is about to be watched. Extended by the watcher."""

    def _passed(self, stretch: Stretch) -> None:
        """A backward pass was watched. Extended by the watcher."""

    def _may_go_on(self, done: int) -> None:
        """Ends the script at the step limit; a training without an optimizer makes an update each backward pass."""
        if self.max_steps is None or done < self.max_steps:
            return
        if not any(o.steps for o in self.recording.optimizers):
            raise StopWatching(f"{self.max_steps} steps")

    def _next(self, loss: Tensor | None) -> None:
        """Begin the calls up to the next backward pass."""
        early = self.recording.backwards < CARRIED
        if loss is not None and early and len(self.recording.losses) < MOST_LOSSES_ALIVE:
            self.recording.losses.append(weakref.ref(loss))
            self.recording.note_alive()
        stretch = self._current
        self._close = stretch is None or stretch.close_is_due
        # What came before is held for a pass, so that ids in _alive stay theirs, and for a second loss of one graph.
        self._previous = self._operations if self._held < PREVIOUS else []
        watched = self._previous[-50:] if early or self._close else ()
        self._alive = {id(t) for o in watched for t in tensors(o.answer)}
        self._operations, self._tainted, self._gradients, self._aliases = [], {}, {}, {}
        self._held = 0
        self._events = []
        self._zeroing = False

    # --------------------------------------------------------------------------------------- which training it is

    def _recognised(
        self, loss: Tensor, at: Spot | None
    ) -> tuple[Stretch | None, programs.Program | None, list[Tensor] | None]:
        operations = self._operations
        short = len(operations) < LONGEST_TEMPLATE
        key = (at, tuple([o.function for o in operations])) if short else None
        template = self._templates.get(key) if short else None
        if template is not None:
            with contextlib.suppress(LookupError, TypeError, ValueError):
                if template.matches(operations, loss) or self._recreated(template, operations, loss):
                    needed = not template.stretch.batches.full or template.stretch.close_is_due
                    return template.stretch, None, template.values(operations) if needed else None
        program = programs.build(operations, loss)
        if program is None and self._previous:
            operations = [*self._previous, *operations]
            program = programs.build(operations, loss)
            self._operations = operations if program is not None else self._operations
            key = None
        if program is None or not program.parameters:
            self._note_unseen(loss)
            return None, None, None
        stretch = self._stretch(program, at)
        if key is not None:
            with contextlib.suppress(LookupError):
                if len(self._templates) >= MOST_TEMPLATES:
                    self._templates.clear()
                self._templates[key] = Template(program, operations, stretch)
        return stretch, program, [program.values[s] for s in program.inputs]

    def _note_unseen(self, loss: Tensor) -> None:
        """Say which part of the graph no hook shows."""
        reason = "its computation was not seen whole" if loss.grad_fn else "its loss does not depend on any weights"
        nodes: list[Any] = [loss.grad_fn]
        known: set[Any] = set()
        while nodes and len(known) < 1000:
            node = nodes.pop()
            if node is None or node in known:
                continue
            known.add(node)
            name = type(node).__name__
            if not name[-1:].isdigit() and name.endswith("Backward"):
                code = "torch.compile" if name.startswith("Compiled") else f"the autograd function {name[:-8]}"
                reason = f"it goes through {code}, which shows itself to no hook"
                break
            nodes += [following for following, _ in node.next_functions]
        self._not_followed[reason] = self._not_followed.get(reason, 0) + 1

    def _stretch(self, program: programs.Program, at: Spot | None) -> Stretch:
        leaves = [program.leaves[s] for s in program.parameters]
        known = {id(p) for p in leaves}
        for stretch in reversed(self.recording.stretches):
            if known & {id(p) for p in stretch.parameters}:
                self._joined(stretch, leaves)
                return stretch
        for stretch in reversed(self.recording.stretches):
            # w = (w - lr * w.grad).detach().requires_grad_(): new tensors that go on where the old ones were.
            same = stretch.at == at and [p.shape for p in leaves] == [p.shape for p in stretch.parameters]
            if same and descends(leaves, stretch.parameters, self._operations):
                self._goes_on(stretch, leaves)
                return stretch
        if len(self.recording.stretches) >= MOST_STRETCHES:
            self.recording.stretches.pop(1)
        frame = frame_of_own(5)
        stretch = Stretch(leaves, at, order=len(self.recording.stretches), begun=time.perf_counter())
        stretch.start = copies(leaves)
        stretch.names, stretch.module = names_of(leaves, frame, list(self.recording.modules.values()))
        stretch.namespace = namespace(frame)
        self.recording.stretches.append(stretch)
        return stretch

    def _joined(self, stretch: Stretch, leaves: list[Tensor]) -> None:
        """Add the leaves that this training has not had yet."""
        for leaf in leaves:
            if all(leaf is not p for p in stretch.parameters):
                stretch.parameters.append(leaf)
                stretch.start.append(leaf.detach().clone())
                stretch.names.append(f"parameter {len(stretch.parameters)}")
        stretch.measure()

    def _recreated(self, template: Template, operations: list[Operation], loss: Tensor) -> bool:
        """Whether these calls are those of the template on new leaves that descend from the old ones."""
        stretch = template.stretch
        if not stretch.recreated or not template.ends_in(operations, loss):
            return False
        leaves = template.leaves(operations)
        fits = [p.shape for p in leaves] == [p.shape for p in stretch.parameters]
        if not fits or not all(p.is_leaf and p.requires_grad for p in leaves):
            return False
        if not descends(leaves, stretch.parameters, operations):
            return False
        self._goes_on(stretch, leaves)
        return True

    def _goes_on(self, stretch: Stretch, leaves: list[Tensor]) -> None:
        """The training goes on with new leaves, which an update out of place has made."""
        if not any(e.kind == "update" for e in self._events):
            self._event("update", leaves[0])
        stretch.parameters, stretch.recreated = leaves, True


def descends(new: Iterable[Tensor], old: Iterable[Tensor], operations: Iterable[Operation]) -> bool:
    """Whether all of ``new`` were computed from ``old`` (by any of the operations)."""
    reached = {id(p) for p in old}
    for operation in operations:
        if any(id(t) in reached for t in tensors((operation.args, operation.kwargs))):
            reached |= {id(t) for t in tensors(operation.answer)}
    return all(id(p) in reached for p in new)


def _value(loss: Tensor) -> float:
    """The loss as a number; the sum where it has several."""
    found = loss.detach()
    if found.numel() != 1:
        found = found.sum()
    return float(found.real if found.is_complex() else found)


def _gradients(parameters: list[Tensor]) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.detach().clone() for p in parameters]


def _returned(answer: Any, wanted: list[Tensor], parameters: list[Tensor]) -> list[Tensor | None]:
    """The gradients that ``torch.autograd.grad`` returned, in the order of the parameters."""
    found = list(answer) if isinstance(answer, tuple | list) else [answer]
    of = {id(w): g for w, g in zip(wanted, found)}
    return [None if (g := of.get(id(p))) is None else g.detach().clone() for p in parameters]
