"""One recorded call of PyTorch, and which of the recorded calls are still needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sightline.check.watching.places import Spot


class Operation(NamedTuple):
    """A call that something trained took part in: as it was made, with its answer.

    graded : gradients were being recorded.  at : where, in iterations that are looked at closely.  changes : it changes
    its first argument in place; where that had been no part of the computation, ``args`` holds a copy from before.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Any
    graded: bool
    at: Spot | None
    changes: bool = False

    @property
    def name(self) -> str:
        """The function's plain name: "linear", "sub_"; getters are called by their attribute: "T", "data"."""
        return name_of(self.function)


class Failure(NamedTuple):
    """A call of PyTorch that raised."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    error: BaseException
    at: Spot | None

    @property
    def name(self) -> str:
        """The function's plain name."""
        return name_of(self.function)


def name_of(function: Callable[..., Any]) -> str:
    """"linear" of F.linear, "grad" of the getter of Tensor.grad."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(function, "__self__", None), "__name__", name))
    return name


def tensors(tree: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from tensors(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from tensors(item)


def assigned(tensor: Tensor, index: Any, value: Any) -> Tensor:
    """``tensor[index] = value`` as a function."""
    answer = tensor.clone()
    answer[index] = value
    return answer


def size_of(tensor: Tensor) -> int:
    """Bytes of a tensor's numbers."""
    return tensor.numel() * tensor.element_size()


def still_needed(operations: Sequence[Operation]) -> list[Operation]:
    """Those calls whose answers somebody else still holds, and all that these came from.

    Which calls a later ``backward`` can need is read off the counts of references: an answer that only the recording
    holds cannot be used again by the script.
    """
    ours: dict[int, int] = {}
    for call in operations:
        for tensor in tensors((call.args, call.kwargs, call.answer)):
            ours[id(tensor)] = ours.get(id(tensor), 0) + 1
            del tensor
    wanted: set[int] = set()
    kept: list[Operation] = []
    for place in range(len(operations) - 1, -1, -1):
        call = operations[place]
        answers = list(tensors(call.answer))
        if any(id(t) in wanted or n > ours[id(t)] for t, n in zip(answers, _holders(answers))):
            kept.append(call)
            wanted.update(id(t) for t in tensors((call.args, call.kwargs)))
    return kept[::-1]


def _holders(answers: list[Tensor]) -> list[int]:
    """How many hold each tensor, but for this list and graphs."""
    shared = [_SHARED if t._use_count() > 1 else 0 for t in answers]  # type: ignore[attr-defined]
    return [count - _USUAL - more for count, more in zip(_counts(answers), shared)]


def _counts(answers: list[Tensor]) -> list[int]:
    return [sys.getrefcount(t) for t in answers]


def _measured() -> tuple[int, int]:
    """What ``getrefcount`` says of a tensor in a list alone, and how much more if a graph holds it; versions differ."""
    found = [torch.ones(1, requires_grad=True) * 2.0]
    usual = _counts(found)[0]
    square = found[0] * found[0]
    more = _counts(found)[0]
    del square
    return usual, more - usual


_USUAL, _SHARED = _measured()
