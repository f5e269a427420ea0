"""One recorded call of PyTorch, and what a call does to its first argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import Tensor

from sightline.check.watching.places import Spot


class Operation(NamedTuple):
    """A call that something trained took part in: as it was made, with its answer.

    graded : gradients were being recorded.  at : where, in iterations that are looked at closely.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    answer: Any
    graded: bool
    at: Spot | None

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
