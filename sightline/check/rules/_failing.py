"""What rules about scripts that end in an error share: the failing line, its names, the call made again."""

from __future__ import annotations

import ast
import copy
import linecache
import os
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from sightline.check.evidence import Evidence
from sightline.check.finding import Place
from sightline.check.watching.operations import Failure

MISSING = object()


def statement(evidence: Evidence, place: Place | None) -> ast.stmt | None:
    """The smallest statement that covers a line, None where its file cannot be read."""
    if place is None:
        return None
    tree = evidence.tree
    if os.path.basename(place.file) != os.path.basename(evidence.script):
        try:
            tree = ast.parse("".join(linecache.getlines(place.file)))
        except (SyntaxError, ValueError):
            return None
    found: ast.stmt | None = None
    for node in ast.walk(tree):
        covers = isinstance(node, ast.stmt) and node.lineno <= place.line <= (node.end_lineno or node.lineno)
        if isinstance(node, ast.stmt) and covers and (found is None or node.lineno >= found.lineno):
            found = node
    return found


def value(node: ast.AST, names: dict[str, Any]) -> Any:
    """What a name, an attribute or a constant element held; ``MISSING`` for what would have to be run."""
    if isinstance(node, ast.Name):
        return names.get(node.id, MISSING)
    if isinstance(node, ast.Attribute):
        owner = value(node.value, names)
        return MISSING if owner is MISSING else getattr(owner, node.attr, MISSING)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        owner = value(node.value, names)
        key: Any = node.slice.value
        if isinstance(owner, dict | list | tuple):
            try:
                return owner[key]
            except (LookupError, TypeError):
                return MISSING
    return MISSING


def visible(evidence: Evidence) -> dict[str, Any]:
    """All names of the frames in the traceback, the innermost wins; the script's own where there is no traceback."""
    found: dict[str, Any] = dict(evidence.recording.globals)
    for _, names in evidence.frames:
        found.update(names)
    return found


def modules(evidence: Evidence) -> list[tuple[str, nn.Module]]:
    """The modules that the failing code could see, with their names; the innermost frame's first."""
    found: dict[int, tuple[str, nn.Module]] = {}
    spaces = [names for _, names in reversed(evidence.frames)] or [evidence.recording.globals]
    for names in spaces:
        for name, held in names.items():
            if isinstance(held, nn.Module) and "_parameters" in held.__dict__:  # its constructor has run
                found.setdefault(id(held), (name, held))
    return list(found.values())


def every_frame(evidence: Evidence) -> Iterator[FrameType]:
    """The frames of the traceback, those of libraries too, outermost first."""
    tb = None if evidence.error is None else evidence.error.__traceback__
    while tb is not None:
        yield tb.tb_frame
        tb = tb.tb_next


def called(node: ast.Call) -> str:
    """The last name of what a call calls: "SGD" of ``torch.optim.SGD(...)``."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def name_of_value(wanted: Any, names: dict[str, Any]) -> str:
    """What the person's code calls a value: "y", "self.w"; '' where no name was found."""
    for name, held in names.items():
        if held is wanted and not name.startswith("_"):
            return name
    for name, held in names.items():
        if type(held).__module__ == "__main__" and not isinstance(held, type):
            for inner, part in getattr(held, "__dict__", {}).items():
                if part is wanted:
                    return f"{name}.{inner}"
    return ""


def works(failure: Failure, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the failed call comes to its end with other arguments, and gives finite numbers."""
    try:
        with torch.no_grad(), torch.random.fork_rng():
            copied = [a.detach().clone() if isinstance(a, Tensor) else copy.copy(a) for a in args]
            answer = failure.function(*copied, **kwargs)
    except Exception:
        return False
    return not isinstance(answer, Tensor) or bool(torch.isfinite(answer.double()).all())


def shape(tensor: Tensor) -> str:
    """"(100, 1)"."""
    return str(tuple(tensor.shape))


def dtype(tensor: Tensor) -> str:
    """"float64"."""
    return str(tensor.dtype).removeprefix("torch.")
