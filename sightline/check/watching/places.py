"""Where in the person's own code something happened."""

from __future__ import annotations

import linecache
import os
import sys
import sysconfig
import traceback
from types import FrameType, TracebackType

import torch

from sightline.check.finding import Place

_SIGHTLINE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep
    for path in {
        os.path.dirname(torch.__file__),
        _SIGHTLINE,
        *(sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")),
    }
)
_known: dict[str, bool] = {}


def is_own(filename: str) -> bool:
    """Whether a file is the person's: not of Python, of an installed package, or of Sightline."""
    own = _known.get(filename)
    if own is None:
        # A cell of a notebook has a made-up name in brackets; frozen modules of Python too.
        own = not filename.startswith(("<frozen", "<string>", "<__array_function__")) and not os.path.realpath(
            filename
        ).startswith(_LIBRARIES)
        _known[filename] = own
    return own


def frame_of_own(depth: int = 1) -> FrameType | None:
    """The nearest frame of the person's code, from the caller's ``depth``-th frame outwards."""
    frame: FrameType | None = sys._getframe(depth)
    known = _known
    while frame is not None:
        file = frame.f_code.co_filename
        own = known.get(file)
        if own is None:
            own = is_own(file)
        if own:
            return frame
        frame = frame.f_back
    return None


def frame_outside() -> FrameType:
    """The nearest frame that is not Sightline's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SIGHTLINE):
        frame = frame.f_back
    return frame


Spot = tuple[str, int, str]


def spot(depth: int = 2) -> Spot | None:
    """(file, line, function) of the person's code that is running now; cheap, made a Place by ``place``."""
    frame = frame_of_own(depth)
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def place(at: Spot | None) -> Place | None:
    """The line of code at a spot."""
    if at is None:
        return None
    file, line, function = at
    return Place(_shown(file), line, linecache.getline(file, line).strip(), function)


def place_of(error: TracebackType | None) -> Place | None:
    """The innermost line of the person's code in a traceback."""
    for entry in reversed(traceback.extract_tb(error)):
        if is_own(entry.filename) and entry.lineno is not None:
            return place((entry.filename, entry.lineno, entry.name))
    return None


def _shown(file: str) -> str:
    """A path as short as it can be written from where the script runs."""
    if file.startswith("<") or not os.path.isabs(file):
        return file
    try:
        relative = os.path.relpath(file)
    except ValueError:  # another drive
        return file
    return file if relative.startswith(os.pardir) else relative
