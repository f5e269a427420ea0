"""The computation of one loss as a function that can be run again: other parameters, other rows, from any value on.

What was recorded between two updates is cut down to what the loss depends on.  Values that nothing trained took part in
are the program's inputs; leaf tensors that require gradients are its parameters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightline.check.watching.operations import Operation, name_of, tensors
from sightline.check.watching.places import Spot


@dataclass(frozen=True)
class Ref:
    """A value of the program, by its number."""

    slot: int


@dataclass(frozen=True)
class Instruction:
    """One call: arguments with a Ref in place of each tensor; ``outputs`` the slots of its tensors in order."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    sources: tuple[int, ...]
    outputs: tuple[int, ...]
    graded: bool
    in_place: bool
    at: Spot | None
    index: int  # among the operations of its stretch

    @property
    def name(self) -> str:
        """The function's plain name."""
        return name_of(self.function)


@dataclass(frozen=True)
class Program:
    """loss = program(parameters, inputs), as it was recorded; ``shapes`` are those of then.

    parameters : slots of the trained leaves.  inputs : slots of values that nothing trained took part in; ``values``
    holds these by slot (copies, where the program outlives its iteration).
    """

    instructions: tuple[Instruction, ...]
    parameters: tuple[int, ...]
    inputs: tuple[int, ...]
    loss: int
    values: Mapping[int, Tensor]
    shapes: Mapping[int, torch.Size]
    leaves: Mapping[int, Tensor]  # the parameters themselves, by slot
    where_used: Mapping[int, tuple[int, ...]]  # slot -> places among ``instructions`` that read it

    def run(self, given: Mapping[int, Tensor], wanted: Sequence[int] | None = None) -> list[Tensor]:
        """The values of the wanted slots (the loss alone by default) with some slots given.

        given : at least the parameters; an input that is not given has its recorded value.  Calls whose answers are
        given are left out.  Random numbers are drawn anew where a call draws some.
        """
        wanted = (self.loss,) if wanted is None else wanted
        known: dict[int, Tensor] = dict(given)
        needed = self.needed(wanted, known)
        for place in needed:
            step = self.instructions[place]
            with contextlib.nullcontext() if step.graded else torch.no_grad():
                args, kwargs = self._filled(step.args, known), self._filled(step.kwargs, known)
                if step.in_place and isinstance(args[0], Tensor):
                    args = (args[0].clone(), *args[1:])
                answer = step.function(*args, **kwargs)
            for slot, value in zip(step.outputs, tensors(answer)):
                if slot not in given:
                    known[slot] = value
        return [self._value(slot, known) for slot in wanted]

    def after(self, slots: Sequence[int]) -> set[int]:
        """The slots whose value depends on any of these, with them."""
        found = set(slots)
        for step in self.instructions:
            if found.intersection(step.sources):
                found.update(step.outputs)
        return found

    def before(self, slot: int) -> set[int]:
        """The slots that this one depends on, with it."""
        found = {slot}
        for step in reversed(self.instructions):
            if found.intersection(step.outputs):
                found.update(step.sources)
        return found

    def producer(self, slot: int) -> Instruction | None:
        """The call that made a value, None for parameters and inputs."""
        for step in reversed(self.instructions):
            if slot in step.outputs:
                return step
        return None

    def cut(self, slot: int, value: Tensor) -> Program:
        """The program with this slot as an input: what it was made of is left out."""
        kept = [self.instructions[i] for i in self.needed([self.loss], {slot: value})]
        used: dict[int, list[int]] = {}
        for place, step in enumerate(kept):
            for s in step.sources:
                used.setdefault(s, []).append(place)
        inputs = tuple(s for s in used if s in self.values or s == slot)
        return Program(
            tuple(kept), tuple(s for s in self.parameters if s in used), inputs, self.loss,
            {s: value if s == slot else self.values[s] for s in inputs}, self.shapes,
            {s: leaf for s, leaf in self.leaves.items() if s in used}, {s: tuple(v) for s, v in used.items()},
        )  # fmt: skip

    def needed(self, wanted: Sequence[int], given: Mapping[int, Tensor] | None = None) -> list[int]:
        """Places of the calls that the wanted slots follow from, in order."""
        given = given or {}
        missing = {slot for slot in wanted if slot not in given}
        found = []
        for place in range(len(self.instructions) - 1, -1, -1):
            step = self.instructions[place]
            if missing.intersection(step.outputs):
                found.append(place)
                missing.update(s for s in step.sources if s not in given)
        return found[::-1]

    def _value(self, slot: int, known: Mapping[int, Tensor]) -> Tensor:
        value = known.get(slot)
        if value is not None:
            return value
        return self.values[slot] if slot in self.values else self.leaves[slot].detach()

    def _filled(self, tree: Any, known: Mapping[int, Tensor]) -> Any:
        if isinstance(tree, Ref):
            return self._value(tree.slot, known)
        if type(tree) is tuple:
            return tuple(self._filled(item, known) for item in tree)
        if type(tree) is list:
            return [self._filled(item, known) for item in tree]
        if type(tree) is dict:
            return {key: self._filled(item, known) for key, item in tree.items()}
        return tree


def build(operations: Sequence[Operation], loss: Tensor) -> Program | None:
    """The program of a loss, or None where a call on its way was not seen (a custom autograd function, say)."""
    slots: dict[int, int] = {}  # id of a tensor -> its newest slot
    held: dict[int, Tensor] = {}
    made: dict[int, int] = {}  # slot -> place of its call
    calls: list[tuple[tuple[int, ...], tuple[int, ...], bool]] = []

    def slot_of(tensor: Tensor) -> int:
        slot = slots.get(id(tensor))
        if slot is None:
            slot = slots[id(tensor)] = len(held)
            held[slot] = tensor
        return slot

    for place, call in enumerate(operations):
        sources = tuple(slot_of(t) for t in tensors((call.args, call.kwargs)))
        outputs: list[int] = []
        ends_in_leaf = False
        for tensor in tensors(call.answer):
            if tensor.is_leaf and tensor.requires_grad:
                ends_in_leaf = True  # made a parameter, or one that was changed in place: not part of the function
                outputs.append(slot_of(tensor))
                continue
            slot = slots[id(tensor)] = len(held)
            held[slot] = tensor
            made[slot] = place
            outputs.append(slot)
        changed = call.changes or (bool(call.args) and isinstance(call.args[0], Tensor) and call.answer is call.args[0])
        calls.append((sources, tuple(outputs), changed and not ends_in_leaf))
    root = slots.get(id(loss))
    if root is None:
        return None

    needed, places = {root}, []
    for place in range(len(operations) - 1, -1, -1):
        sources, given, _ = calls[place]
        if any(s in needed and made.get(s) == place for s in given):
            places.append(place)
            needed.update(sources)
    places.reverse()
    within = set(places)
    ends = [s for s in needed if made.get(s) not in within]
    if any(not held[s].is_leaf for s in ends if held[s].requires_grad):
        return None
    if root in ends or any(_hidden(operations[place], calls[place][1], held) for place in places):
        return None
    instructions: list[Instruction] = []
    used: dict[int, list[int]] = {}
    for place in places:
        call, (sources, given, changed) = operations[place], calls[place]
        queue = iter(sources)
        args, kwargs = _referred(call.args, queue), _referred(call.kwargs, queue)
        for s in sources:
            used.setdefault(s, []).append(len(instructions))
        instructions.append(
            Instruction(call.function, args, kwargs, sources, given, call.graded, changed, call.at, place)
        )
    ends = [s for s in used if made.get(s) not in within]  # in the order of their first use
    parameters = tuple(s for s in ends if held[s].requires_grad)
    inputs = tuple(s for s in ends if not held[s].requires_grad)
    values = {s: held[s].detach() for s in inputs}
    return Program(
        tuple(instructions), parameters, inputs, root, values, {s: held[s].shape for s in (*used, root)},
        {s: held[s] for s in parameters}, {s: tuple(v) for s, v in used.items()},
    )  # fmt: skip


def _hidden(call: Operation, outputs: Sequence[int], held: Mapping[int, Tensor]) -> bool:
    """Whether a call without gradients gave something that has them: the inside of a custom autograd function."""
    return not call.graded and any(held[s].requires_grad and not held[s].is_leaf for s in outputs)


def _referred(tree: Any, queue: Any) -> Any:
    if isinstance(tree, Tensor):
        return Ref(next(queue))
    if isinstance(tree, tuple):
        return tuple(_referred(item, queue) for item in tree)
    if isinstance(tree, list):
        return [_referred(item, queue) for item in tree]
    if isinstance(tree, dict):
        return {key: _referred(item, queue) for key, item in tree.items()}
    return tree
