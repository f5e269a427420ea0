"""The traceback of a watched script as it would be without the watcher."""

from __future__ import annotations

import os
import sys
from types import TracebackType

import sightline

_OWN = os.path.dirname(os.path.abspath(sightline.__file__)) + os.sep


def clean(error: BaseException) -> None:
    """Take Sightline's frames, and those that PyTorch adds to call it, out of an error's traceback and its causes'."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        found = todo.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        found.__traceback__ = _without(found.__traceback__)
        todo += [found.__cause__, found.__context__]


def show(error: BaseException) -> None:
    """Print an error as Python does when it ends a script, through ``sys.excepthook``."""
    clean(error)
    sys.excepthook(type(error), error, error.__traceback__)


def _without(traceback: TracebackType | None) -> TracebackType | None:
    entries = []
    while traceback is not None:
        entries.append(traceback)
        traceback = traceback.tb_next
    # The frames that started the script: Sightline's, and of ``python -m`` those of runpy, which Python shows as well.
    first = next((i for i, e in enumerate(entries) if not _is_ours(e)), len(entries))
    kept: list[TracebackType] = []
    for entry in entries[first:]:
        if _is_ours(entry):
            if kept and _name(kept[-1]) == "handle_torch_function":
                kept.pop()
                # The function of PyTorch that asked for the handler is entered again by it.
                kept.pop()
            continue
        kept.append(entry)
    answer: TracebackType | None = None
    for entry in reversed(kept):
        answer = TracebackType(answer, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return answer


def _is_ours(entry: TracebackType) -> bool:
    return entry.tb_frame.f_code.co_filename.startswith(_OWN)


def _name(entry: TracebackType) -> str:
    return entry.tb_frame.f_code.co_name
