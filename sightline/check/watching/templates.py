"""A backward pass recognised as one like an earlier one, without building its program anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from sightline.check.program import Program
from sightline.check.watching.operations import Operation
from sightline.check.watching.stretch import Stretch

_Where = tuple[int, tuple[Any, ...]]  # place among the calls, and the way to a value in (args, kwargs) there


class Template:
    """Where in a run of calls the parameters and inputs are; holds for each run of the same calls."""

    def __init__(self, program: Program, operations: Sequence[Operation], stretch: Stretch) -> None:
        self.stretch = stretch
        found = [_find(program, s, operations) for s in program.parameters]
        self.parameters = [(where, program.leaves[s]) for where, s in zip(found, program.parameters)]
        self.inputs = [_find(program, s, operations) for s in program.inputs]
        self.loss = (program.instructions[-1].index, program.instructions[-1].outputs.index(program.loss))

    def ends_in(self, operations: Sequence[Operation], loss: Tensor) -> bool:
        """Whether the loss is the answer of the same call."""
        place, output = self.loss
        answer = operations[place].answer
        return answer is loss or (isinstance(answer, tuple | list) and answer[output] is loss)

    def matches(self, operations: Sequence[Operation], loss: Tensor) -> bool:
        """Whether the same parameters are in the same places, too."""
        if not self.ends_in(operations, loss):
            return False
        for where, leaf in self.parameters:  # noqa: SIM110 (a loop is faster than a generator)
            if _at(operations, where) is not leaf:
                return False
        return True

    def leaves(self, operations: Sequence[Operation]) -> list[Tensor]:
        """What is now in the parameters' places."""
        return [_at(operations, where) for where, _ in self.parameters]

    def values(self, operations: Sequence[Operation]) -> list[Tensor]:
        """The inputs of this run of calls."""
        return [_at(operations, where) for where in self.inputs]


def _find(program: Program, slot: int, operations: Sequence[Operation]) -> _Where:
    """The first operation that reads a value, and the way to it among that one's arguments."""
    step = program.instructions[program.where_used[slot][0]]
    operation = operations[step.index]
    order = step.sources.index(slot)
    for number, (path, _) in enumerate(_paths((operation.args, operation.kwargs), ())):
        if number == order:
            return step.index, path
    raise LookupError(slot)


def _paths(tree: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Tensor]]:
    if isinstance(tree, Tensor):
        yield path, tree
    elif isinstance(tree, tuple | list):
        for i, item in enumerate(tree):
            yield from _paths(item, (*path, i))
    elif isinstance(tree, dict):
        for key, item in tree.items():
            yield from _paths(item, (*path, key))


def _at(operations: Sequence[Operation], where: _Where) -> Any:
    index, path = where
    operation = operations[index]
    value: Any = (operation[2] if path[0] else operation[1])[path[1]]
    for step in path[2:]:
        value = value[step]
    return value
