"""The watcher: a mode that sees each call of PyTorch, and hooks on modules and optimizers.

Only public hooks: ``TorchFunctionMode``, ``register_module_forward_pre_hook``, ``register_optimizer_step_pre_hook`` and
``register_optimizer_step_post_hook``.  Calls in which nothing trained takes part are let through at once; the others are
kept until the next backward pass, which turns them into a ``Program`` or forgets them.
"""

from __future__ import annotations

import contextlib
import sys
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode

from sightline.check import program as programs
from sightline.check.watching.naming import names_of, namespace
from sightline.check.watching.operations import Failure, Operation, name_of, tensors
from sightline.check.watching.places import Spot, frame_of_own, spot
from sightline.check.watching.stretch import Beat, Event, SeenOptimizer, Stretch, copies

MOST_HELD = 256 * 2**20  # bytes of results without gradients that are held between two backward passes
MOST_OPERATIONS = 200_000
MOST_EVENTS = 2_000
MOST_STRETCHES = 64
MOST_LOSSES_ALIVE = 512
KEPT_PROGRAMS = 3
EVALUATION = frozenset((
    "argmax", "argmin", "max", "min", "topk", "round", "gt", "ge", "lt", "le", "eq", "ne", "sign", "dropout",
    "batch_norm", "sigmoid", "softmax", "log_softmax", "exp", "relu", "where", "numpy",
    "__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__",
))  # fmt: skip
_PLAIN = (bool, int, float, torch.Size, torch.dtype, torch.device, type(None))


class StopWatching(BaseException):
    """Raised in the script to end it at the step limit; no ``except Exception`` of the script's takes it."""


@dataclass
class Call:
    """A call that reads predictions: the last of those from one line."""

    name: str
    at: Spot | None
    count: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Any
    graded: bool
    backwards: int  # of the whole script, before the last such call


@dataclass
class Recording:
    """What was seen of a script."""

    stretches: list[Stretch] = field(default_factory=list)
    optimizers: list[SeenOptimizer] = field(default_factory=list)
    modules: dict[int, nn.Module] = field(default_factory=dict)  # by id, in order of their first call
    module_calls: dict[int, int] = field(default_factory=dict)
    calls: dict[tuple[Any, Any], Call] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    made_in_forward: list[tuple[Spot | None, str, int]] = field(default_factory=list)  # layer initialised while a module runs
    backwards: int = 0
    unseen: int = 0  # backward passes whose program could not be followed
    losses: list[weakref.ref[Tensor]] = field(default_factory=list)  # of passes early on
    carried: int = 0  # calls that took a value with a graph from before the last backward pass
    carried_at: Spot | None = None
    error: BaseException | None = None
    ending: str = "finished"
    seconds: float = 0.0
    globals: dict[str, Any] = field(default_factory=dict)
    last_operations: list[Operation] = field(default_factory=list)
    stray_events: list[Event] = field(default_factory=list)  # before any training, or of none


class _Template:
    """Where in a stretch of calls the parameters and inputs are; holds for each stretch of the same calls."""

    def __init__(self, program: programs.Program, operations: list[Operation], stretch: Stretch) -> None:
        self.stretch = stretch
        self.parameters = [_find(program, s, operations) for s in program.parameters]
        self.leaves = [program.leaves[s] for s in program.parameters]
        self.inputs = [_find(program, s, operations) for s in program.inputs]

    def matches(self, operations: list[Operation]) -> bool:
        """Whether the same parameters are in the same places."""
        return all(_at(operations, where) is leaf for where, leaf in zip(self.parameters, self.leaves))


class Watcher(TorchFunctionMode):
    """Watches while it is entered; ``recording`` is what it saw.

    max_steps : raise ``StopWatching`` in the script after that many backward passes.
    """

    def __init__(self, max_steps: int | None = None) -> None:
        super().__init__()
        self.recording = Recording()
        self.max_steps = max_steps
        self._operations: list[Operation] = []
        self._tainted: dict[int, Tensor] = {}
        self._gradients: dict[int, Tensor] = {}  # id of a gradient, or an alias of it -> the gradient
        self._aliases: dict[int, Tensor] = {}  # id of p.data -> p
        self._held = 0
        self._events: list[Event] = []
        self._templates: dict[Any, _Template] = {}
        self._close = True
        self._current: Stretch | None = None
        self._hooks: list[Any] = []
        self._stepping: list[Any] = []
        self._alive: set[int] = set()
        self._depth = 0
        self._started = 0.0
        get, put = Tensor.grad.__get__, Tensor.grad.__set__  # type: ignore[attr-defined]
        self._special: dict[Any, Callable[..., Any]] = {
            Tensor.backward: self._backward,
            torch.autograd.backward: self._backward,
            torch.autograd.grad: self._grad,
            get: self._get_grad,
            put: self._set_grad,
            Tensor.data.__get__: self._get_data,  # type: ignore[attr-defined]
            Tensor.data.__set__: self._set_data,  # type: ignore[attr-defined]
            Tensor.is_leaf.__get__: self._is_leaf,  # type: ignore[attr-defined]
            nn.init.kaiming_uniform_: self._initialise,
        }

    # ------------------------------------------------------------------------------------------------ in and out

    def start(self) -> None:
        """Put the hooks in place and begin."""
        self._started = time.perf_counter()
        self._hooks = [
            register_module_forward_pre_hook(self._module),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        self._enter()

    def stop(self) -> None:
        """Take the hooks away; whatever the script left behind is looked at here."""
        if self._depth:
            self._leave()
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self.recording.seconds = time.perf_counter() - self._started
        self.recording.last_operations = self._operations
        if self._current is not None:
            self._current.tail = list(self._events)
        else:
            self.recording.stray_events = list(self._events)

    def _enter(self) -> None:
        self.__enter__()
        self._depth += 1

    def _leave(self) -> None:
        self._depth -= 1
        self.__exit__(None, None, None)

    # ------------------------------------------------------------------------------------------------------ calls

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let the call through, and keep it if something trained takes part in it."""
        kwargs = kwargs or {}
        special = self._special.get(function)
        if special is not None:
            return special(function, args, kwargs)
        try:
            answer = function(*args, **kwargs)
        except Exception as error:
            self.recording.failures.append(Failure(function, args, kwargs, error, spot()))
            raise
        kind = type(answer)
        if kind is Tensor or kind is nn.Parameter or isinstance(answer, Tensor | tuple | list):
            if self._takes_part(args, kwargs):
                self._keep(function, args, kwargs, answer)
        elif args and not isinstance(answer, _PLAIN):
            if isinstance(args[0], str):
                if "zero_grad" in args[0]:  # Optimizer.zero_grad says so to the profiler
                    self._event(Event("zero_grad", spot()))
            elif isinstance(args[0], Tensor) and self._takes_part(args, kwargs):
                self._read(function, args, kwargs, answer)  # .numpy()
        return answer

    def _takes_part(self, args: Any, kwargs: Any) -> bool:
        tainted = self._tainted
        for value in args:
            if isinstance(value, Tensor):
                if value.requires_grad or id(value) in tainted:
                    return True
            elif type(value) in (tuple, list) and self._takes_part(value, {}):
                return True
        return bool(kwargs) and self._takes_part(tuple(kwargs.values()), {})

    def _keep(self, function: Any, args: Any, kwargs: Any, answer: Any) -> None:
        graded = torch.is_grad_enabled()
        at = spot(3) if self._close else None
        first = args[0] if args else None
        if answer is first and isinstance(first, Tensor):
            if id(first) in self._gradients:
                self._event(Event("grad zeroed" if name_of(function) in ("zero_", "fill_") else "grad changed", at))
                return
            parameter = first if first.is_leaf and first.requires_grad else self._aliases.get(id(first))
            if parameter is not None and name_of(function) != "requires_grad_":
                self._event(Event("update", at or spot(3), parameter))
                if parameter is not first:
                    return
        for tensor in tensors(answer):
            if not tensor.requires_grad:
                self._tainted[id(tensor)] = tensor
                self._held += tensor.numel() * tensor.element_size()
        self._operations.append(Operation(function, args, kwargs, answer, graded, at))
        if graded and self.recording.backwards and self._current is not None:
            self._carries(args)
        if getattr(function, "__name__", "") in EVALUATION:
            self._read(function, args, kwargs, answer)
        if self._held > MOST_HELD or len(self._operations) > MOST_OPERATIONS:
            self._forget()

    def _forget(self) -> None:
        """Drop what was kept without gradients: evaluations between two backward passes."""
        self._operations = [o for o in self._operations if any(t.requires_grad for t in tensors(o.answer))]
        if len(self._operations) > MOST_OPERATIONS:
            self._operations = []
        self._tainted, self._held = {}, 0

    def _carries(self, args: Any) -> None:
        """Count calls that take a value whose graph is of before the last backward pass."""
        for tensor in tensors(args):
            if tensor.grad_fn is not None and id(tensor) in self._alive:
                self.recording.carried += 1
                self.recording.carried_at = self.recording.carried_at or spot(4)
                return

    def _read(self, function: Any, args: Any, kwargs: Any, answer: Any) -> None:
        at = spot(4)
        key = (function, at)
        seen = self.recording.calls.get(key)
        count = 1 if seen is None else seen.count + 1
        if seen is None and len(self.recording.calls) > MOST_EVENTS:
            return
        self.recording.calls[key] = Call(
            name_of(function), at, count, args, kwargs, answer, torch.is_grad_enabled(), self.recording.backwards
        )

    # ------------------------------------------------------------------------------------- gradients and weights

    def _event(self, event: Event) -> None:
        if self._current is not None:
            self._current.counts[event.kind] = self._current.counts.get(event.kind, 0) + 1
        if len(self._events) < MOST_EVENTS:
            self._events.append(event)

    def _get_grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        gradient = function(*args, **kwargs)
        if gradient is not None:
            self._gradients[id(gradient)] = gradient
            self._tainted[id(gradient)] = gradient
        return gradient

    def _set_grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        value = args[1] if len(args) > 1 else None
        if value is None or not bool(value.detach().any()):
            # zero_grad of an optimizer comes here for each parameter: said once there.
            frame = frame_of_own(2)
            at = None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
            last = self._events[-1] if self._events else None
            if last is None or last.at != at or last.kind not in ("grad none", "zero_grad"):
                self._event(Event("grad none", at, args[0]))
        else:
            self._event(Event("grad set", spot(3), args[0]))
        return answer

    def _get_data(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        owner = args[0]
        if id(owner) in self._gradients:
            self._gradients[id(answer)] = answer
        elif owner.is_leaf and owner.requires_grad:
            self._aliases[id(answer)] = owner
        if owner.requires_grad or id(owner) in self._tainted:
            self._tainted[id(answer)] = answer
            self._operations.append(
                Operation(function, args, kwargs, answer, torch.is_grad_enabled(), spot(3) if self._close else None)
            )
        return answer

    def _set_data(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        owner = args[0]
        if owner.is_leaf and owner.requires_grad:
            last = self._events[-1] if self._events else None
            if last is None or last.kind != "update" or last.what is not owner:  # p.data -= ... is both
                self._event(Event("update", spot(3), owner))
        elif id(owner) in self._gradients:
            self._event(Event("grad set", spot(3)))
        return answer

    def _is_leaf(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        frame = sys._getframe(2)
        if frame.f_code.co_name == "add_param_group":  # an optimizer is being made
            optimizer = frame.f_locals.get("self")
            if optimizer is not None and all(o.optimizer is not optimizer for o in self.recording.optimizers):
                self.recording.optimizers.append(SeenOptimizer(optimizer, spot(3)))
        return answer

    def _initialise(self, function: Any, args: Any, kwargs: Any) -> Any:
        answer = function(*args, **kwargs)
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_name == "_call_impl":  # a module is running
                self.recording.made_in_forward.append((spot(3), "", self.recording.backwards))
                break
            frame = frame.f_back  # type: ignore[assignment]
        return answer

    # --------------------------------------------------------------------------------------------------- backward

    def _backward(self, function: Any, args: Any, kwargs: Any) -> Any:
        losses = list(tensors(args[0] if args else kwargs.get("tensors", ())))
        return self._pass(function, args, kwargs, losses, returned=False)

    def _grad(self, function: Any, args: Any, kwargs: Any) -> Any:
        losses = list(tensors(args[0] if args else kwargs.get("outputs", ())))
        return self._pass(function, args, kwargs, losses, returned=True)

    def _pass(self, function: Any, args: Any, kwargs: Any, losses: list[Tensor], returned: bool) -> Any:
        at = spot(4)
        loss = losses[0] if losses else None
        stretch, program, inputs = self._recognised(loss, at) if loss is not None else (None, None, None)
        close = stretch is not None and stretch.is_close()
        beat = None
        if stretch is not None and loss is not None:
            # Programs hold their batch: those of the first passes are kept, and that of the newest close look.
            if close and program is None:
                program = programs.build(self._operations, loss)
            if close and len(stretch.beats) > KEPT_PROGRAMS:
                stretch.beats[-1].program = None
            if close:
                before = [None if p.grad is None else p.grad.detach().clone() for p in stretch.parameters]
                weights = copies(stretch.parameters)
        try:
            answer = function(*args, **kwargs)
        except Exception as error:
            self.recording.failures.append(Failure(function, args, kwargs, error, at))
            raise
        self.recording.backwards += 1
        if stretch is None or loss is None:
            self.recording.unseen += 1
            self._next(loss)
            return answer
        value = float(loss.detach().sum())
        if close:
            after = (
                [None if g is None else g.detach().clone() for g in tensors_or_none(answer, len(stretch.parameters))]
                if returned
                else [None if p.grad is None else p.grad.detach().clone() for p in stretch.parameters]
            )
            beat = Beat(stretch.backwards, at, value, program, weights, before, after, self._events, returned)
            stretch.beats.append(beat)
        if inputs is not None:
            stretch.batches.take(inputs)
        stretch.note_loss(value)
        stretch.note_path(close)
        stretch.backwards += 1
        stretch.ended = time.perf_counter()
        self._current = stretch
        self._next(loss)
        if self.max_steps is not None and self.recording.backwards >= self.max_steps:
            raise StopWatching(f"{self.max_steps} backward passes")
        return answer

    def _next(self, loss: Tensor | None) -> None:
        """Begin the calls up to the next backward pass."""
        self._alive = {id(t) for o in self._operations[-50:] for t in tensors(o.answer)}
        if loss is not None and len(self.recording.losses) < MOST_LOSSES_ALIVE:
            with contextlib.suppress(TypeError):
                self.recording.losses.append(weakref.ref(loss))
        self._previous = self._operations  # held, so that the ids in _alive stay theirs
        self._operations, self._tainted, self._gradients, self._aliases = [], {}, {}, {}
        self._held = 0
        self._events = []
        stretch = self._current
        self._close = stretch is None or stretch.backwards < 12 or stretch.backwards >= stretch.next_close

    def _recognised(
        self, loss: Tensor, at: Spot | None
    ) -> tuple[Stretch | None, programs.Program | None, list[Tensor] | None]:
        operations = self._operations
        key = (at, tuple(o.function for o in operations)) if len(operations) < 500 else None
        template = self._templates.get(key) if key is not None else None
        if template is not None:
            with contextlib.suppress(LookupError, TypeError, ValueError):
                if template.matches(operations):
                    full = template.stretch.batches.full
                    return template.stretch, None, None if full else [_at(operations, w) for w in template.inputs]
        program = programs.build(operations, loss)
        if program is None or not program.parameters:
            return None, None, None
        stretch = self._stretch(program, at)
        if key is not None:
            with contextlib.suppress(LookupError):
                if len(self._templates) < 1000:
                    self._templates[key] = _Template(program, operations, stretch)
        # The tensors themselves, not the program's copies: batches know them again by their identity.
        return stretch, program, [_at(operations, _find(program, s, operations)) for s in program.inputs]

    def _stretch(self, program: programs.Program, at: Spot | None) -> Stretch:
        leaves = [program.leaves[s] for s in program.parameters]
        known = {id(p) for p in leaves}
        for stretch in reversed(self.recording.stretches):
            if known & {id(p) for p in stretch.parameters}:
                for leaf in leaves:
                    if all(leaf is not p for p in stretch.parameters):
                        stretch.parameters.append(leaf)
                        stretch.start.append(leaf.detach().clone())
                        stretch.names.append(f"parameter {len(stretch.parameters)}")
                if len(leaves) != len(stretch.parameters) or any(a is not b for a, b in zip(leaves, stretch.parameters)):
                    self._templates = {k: t for k, t in self._templates.items() if t.stretch is not stretch}
                return stretch
        for stretch in reversed(self.recording.stretches):
            # w = (w - lr * w.grad).detach().requires_grad_(): new tensors that go on where the old ones were.
            same = stretch.at == at and [p.shape for p in leaves] == [p.shape for p in stretch.parameters]
            if same and self._descends(leaves, stretch.parameters):
                stretch.parameters = leaves
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

    def _descends(self, new: list[Tensor], old: list[Tensor]) -> bool:
        reached = {id(p) for p in old}
        for operation in self._operations:
            if any(id(t) in reached for t in tensors((operation.args, operation.kwargs))):
                reached |= {id(t) for t in tensors(operation.answer)}
        return all(id(p) in reached for p in new)

    # ------------------------------------------------------------------------------------------------------ hooks

    def _module(self, module: nn.Module, args: Any) -> None:
        key = id(module)
        if key not in self.recording.modules and len(self.recording.modules) < MOST_EVENTS:
            self.recording.modules[key] = module
        self.recording.module_calls[key] = self.recording.module_calls.get(key, 0) + 1

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        seen = next((o for o in self.recording.optimizers if o.optimizer is optimizer), None)
        if seen is None:
            seen = SeenOptimizer(optimizer, spot())
            self.recording.optimizers.append(seen)
        seen.steps += 1
        if self._current is not None and all(o is not seen for o in self._current.optimizers):
            self._current.optimizers.append(seen)
        event = Event("step", spot(), seen)
        old = None
        if self._close:
            event.grads = tuple(None if p.grad is None else float(p.grad.detach().norm()) for p in seen.parameters)
            event.options = tuple({k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups)
            old = copies(seen.parameters)
        self._stepping.append((event, old))
        watching = self._depth > 0
        closure = args[0] if args else kwargs.get("closure")
        if watching:
            self._leave()
        if not callable(closure):
            return None

        def watched(*a: Any, **k: Any) -> Any:
            if self._depth:
                return closure(*a, **k)
            self._enter()
            try:
                return closure(*a, **k)
            finally:
                self._leave()

        if args:
            return (watched, *args[1:]), kwargs
        return args, {**kwargs, "closure": watched}

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        event, old = self._stepping.pop()
        if old is not None:
            event.changed = any(not torch.equal(a, b.detach()) for a, b in zip(old, event.what.parameters))
        if not self._depth:
            self._enter()
        self._event(event)


def tensors_or_none(answer: Any, count: int) -> list[Tensor | None]:
    """The gradients that ``torch.autograd.grad`` returned, padded."""
    found: list[Tensor | None] = list(answer) if isinstance(answer, tuple | list) else [answer]
    return [*found, *[None] * (count - len(found))][:count]


# ------------------------------------------------------------------------------------------------- places of values

_Where = tuple[int, tuple[Any, ...]]


def _find(program: programs.Program, slot: int, operations: list[Operation]) -> _Where:
    """The first operation that reads a value, and the way to it among that one's arguments."""
    place = program.where_used[slot][0]
    step = program.instructions[place]
    operation = operations[step.index]
    order = step.sources.index(slot)
    for number, (path, _) in enumerate(_paths((operation.args, operation.kwargs), ())):
        if number == order:
            return step.index, path
    raise LookupError(slot)


def _paths(tree: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, tuple | list):
        for i, item in enumerate(tree):
            yield from _paths(item, (*path, i))
    elif isinstance(tree, dict):
        for key, item in tree.items():
            yield from _paths(item, (*path, key))


def _at(operations: list[Operation], where: _Where) -> Tensor:
    index, path = where
    operation = operations[index]
    value: Any = (operation.args, operation.kwargs)
    for step in path:
        value = value[step]
    return value  # type: ignore[no-any-return]
