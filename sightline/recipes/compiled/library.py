"""The compiled loop as a shared library: built when Sightline is installed from its sources, or when first needed.

A library is named after what it was made from (source, flags, compiler, processor) and after the digest of its own
bytes, so that a damaged file is noticed before it is loaded, and one made for another machine that shares the folder
is not taken.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
from pathlib import Path

import torch

from sightline.recipes.compiled import building
from sightline.recipes.compiled.building import NoLibrary

__all__ = ["SYMBOL", "NoLibrary", "cache_folder", "forget", "is_built", "load"]

SYMBOL = "sightline_train"

_ready: dict[torch.dtype, ctypes.CDLL | str] = {}
_lock = threading.Lock()


def load(dtype: torch.dtype) -> ctypes.CDLL:
    """The library for float32 or float64, built if there is none yet.

    Raises
    ------
    NoLibrary : no C compiler, or it failed.  The answer is kept for the life of the process.
    """
    with _lock:
        if dtype not in _ready:
            try:
                _ready[dtype] = _load(dtype)
            except NoLibrary as error:
                _ready[dtype] = str(error)
        found = _ready[dtype]
    if isinstance(found, str):
        raise NoLibrary(found)
    return found


def is_built(dtype: torch.dtype) -> bool:
    """Whether ``load`` will not have to compile: the library is there, or it is known that there can be none."""
    if dtype in _ready:
        return True
    command = building.command_for(dtype == torch.float32)
    return command is None or any(_candidates(folder, building.key_of(command)) for folder in _folders())


def _folders() -> list[Path]:
    """Where a library may be: as it was installed, and as it was built when it was needed."""
    return [building.INSTALLED, cache_folder()]


def cache_folder() -> Path:
    """The user's folder for built libraries; ``SIGHTLINE_CACHE`` names another."""
    if named := os.environ.get("SIGHTLINE_CACHE"):
        return Path(named)
    local = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    if local:
        return Path(local) / "sightline"
    try:
        home = Path.home()
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir(), f"sightline-{os.getuid()}")
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "sightline"


def forget() -> None:
    """Look for library and compiler anew at the next ``load``."""
    with _lock:
        _ready.clear()


def _load(dtype: torch.dtype) -> ctypes.CDLL:
    try:
        return _found_or_built(dtype)
    except OSError as error:
        raise NoLibrary(f"the compiled loop cannot be loaded: {error}") from None


def _found_or_built(dtype: torch.dtype) -> ctypes.CDLL:
    command = building.command_for(dtype == torch.float32)
    if command is None:
        raise NoLibrary(f"no C compiler was found (looked for $CC, {', '.join(building.COMPILERS)})")
    key = building.key_of(command)
    for path in _candidates(building.INSTALLED, key):
        if _whole(path):
            try:
                return _open(path)
            except OSError:
                pass
    folder = cache_folder()
    if not _private(folder):
        # Nobody else may write what this process will load.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
            return _open(building.build(command, Path(own), key))
    for path in _candidates(folder, key):
        if _whole(path):
            try:
                return _open(path)
            except OSError:
                pass
        path.unlink(missing_ok=True)
    return _open(building.build(command, folder, key))


def _candidates(folder: Path, key: str) -> list[Path]:
    return sorted(folder.glob(f"training-{key}-*.so"))


def _whole(path: Path) -> bool:
    """Whether the file's bytes are those that it was named after."""
    return building.digest_of(path) == path.stem.rsplit("-", 1)[1]


def _private(folder: Path) -> bool:
    """Whether the folder is there, or could be made, writable, and by this user alone."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stat = folder.stat()
    except OSError:
        return False
    if hasattr(os, "getuid") and (stat.st_uid != os.getuid() or stat.st_mode & 0o022):
        return False
    return os.access(folder, os.W_OK)


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        getattr(library, SYMBOL).restype = ctypes.c_int64
    except AttributeError:
        raise OSError(f"{path} has no {SYMBOL}") from None
    return library
