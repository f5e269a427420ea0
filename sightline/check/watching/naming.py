"""What the person's code calls its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Any

from torch import Tensor, nn

from sightline.check.watching.places import is_own

FRAMES = 6  # of the person's own that are looked through, from the innermost outwards


def namespace(frame: FrameType | None) -> dict[str, Any]:
    """Names and values that the code which calls ``backward`` can see; the innermost wins."""
    found: dict[str, Any] = {}
    seen = 0
    while frame is not None and seen < FRAMES:
        if is_own(frame.f_code.co_filename):
            seen += 1
            for name, value in (*frame.f_locals.items(), *frame.f_globals.items()):
                if not name.startswith("__"):
                    found.setdefault(name, value)
        frame = frame.f_back
    return found


def _is_theirs(value: Any) -> bool:
    return type(value).__module__ == "__main__" and hasattr(value, "__dict__")


def names_of(
    parameters: Sequence[Tensor], frame: FrameType | None, modules: Sequence[nn.Module]
) -> tuple[list[str], nn.Module | None]:
    """A name for each parameter, "model.weight" or "w", and the module that holds most of them."""
    visible = namespace(frame)
    holders: list[tuple[str, nn.Module]] = [(n, v) for n, v in visible.items() if isinstance(v, nn.Module)]
    holders += [
        (f"{name}.{inner}", module)
        for name, value in visible.items()
        if not isinstance(value, nn.Module | type) and _is_theirs(value)
        for inner, module in vars(value).items()
        if isinstance(module, nn.Module)
    ]
    holders += [(type(module).__name__, module) for module in modules]
    known: dict[int, str] = {}
    most, main = 0, None
    wanted = {id(p) for p in parameters}
    for name, module in holders:
        own = dict(module.named_parameters())
        for inner, parameter in own.items():
            known.setdefault(id(parameter), f"{name}.{inner}")
        held = len(wanted & {id(p) for p in own.values()})
        if held > most:
            most, main = held, module
    for name, value in visible.items():
        if isinstance(value, Tensor):
            known.setdefault(id(value), name)
        elif isinstance(value, list | tuple) and len(value) < 100:
            for i, item in enumerate(value):
                if isinstance(item, Tensor):
                    known.setdefault(id(item), f"{name}[{i}]")
        elif isinstance(value, dict) and len(value) < 100:
            for key, item in value.items():
                if isinstance(item, Tensor):
                    known.setdefault(id(item), f"{name}[{key!r}]")
        elif hasattr(value, "__dict__") and not isinstance(value, type | nn.Module):
            for inner, item in list(vars(value).items())[:50]:
                if isinstance(item, Tensor):
                    known.setdefault(id(item), f"{name}.{inner}")
    return [known.get(id(p), f"parameter {i + 1}") for i, p in enumerate(parameters)], main
