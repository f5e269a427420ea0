"""The compiled loop as a shared library: built by the system's C compiler when first needed, then kept.

A library is named after what it was made from (source, flags, compiler, processor) and after the digest of its own
bytes, so that a damaged file is noticed before it is loaded, and one made for another machine that shares the folder
is not taken.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.resources
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch

# No -ffast-math and no fusing: the trajectory is to be PyTorch's. -O2 takes twice as long to compile and gains little.
FLAGS = ("-std=c11", "-O1", "-ftree-vectorize", "-ffp-contract=off", "-fPIC", "-shared")
NATIVE = "-march=native"
SOURCES = ("types.c", "losses.c", "optimizers.c", "training.c")  # one after the other, one file for the compiler
COMPILERS = ("cc", "gcc", "clang")
TIMEOUT = 60  # seconds for one build
SYMBOL = "sightline_train"

_ready: dict[torch.dtype, ctypes.CDLL | str] = {}
_lock = threading.Lock()


class NoLibrary(RuntimeError):
    """There is no compiled loop on this machine; the message says why."""


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
    command = _command(dtype)
    folder = cache_folder()
    return command is None or (folder.is_dir() and bool(_candidates(folder, _key(command))))


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
    command = _command(dtype)
    if command is None:
        raise NoLibrary(f"no C compiler was found (looked for $CC, {', '.join(COMPILERS)})")
    key = _key(command)
    folder = cache_folder()
    if not _private(folder):
        # Nobody else may write what this process will load.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
            return _open(_build(command, Path(own), key))
    for path in _candidates(folder, key):
        if _digest(path) == path.stem.rsplit("-", 1)[1]:
            try:
                return _open(path)
            except OSError:
                pass
        path.unlink(missing_ok=True)
    return _open(_build(command, folder, key))


def _command(dtype: torch.dtype) -> list[str] | None:
    """The compiler and its flags, without the files; None where there is no compiler."""
    named = shlex.split(os.environ.get("CC", ""))
    for candidate in ([named] if named else [[name] for name in COMPILERS]):
        program = shutil.which(candidate[0])
        if program is not None:
            native = [NATIVE] if _processor() and platform.machine().lower() in ("x86_64", "amd64") else []
            single = ["-DSIGHTLINE_FLOAT"] if dtype == torch.float32 else []
            return [program, *candidate[1:], *FLAGS, *native, *single]
    return None


def _processor() -> str:
    """What tells one kind of processor from another; empty where that is not to be had."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = [line for line in iter(file.readline, "\n") if line.startswith(("model name", "flags"))]
    except OSError:
        return ""
    return "".join(lines)


def _source() -> bytes:
    folder = importlib.resources.files(__package__)
    return b"\n".join(folder.joinpath(name).read_bytes() for name in SOURCES)


def _key(command: list[str]) -> str:
    compiler = Path(command[0]).resolve()
    stat = compiler.stat()
    made_from = [*command, str(compiler), str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _processor()]
    return hashlib.sha256("\0".join(made_from).encode() + b"\0" + _source()).hexdigest()[:16]


def _candidates(folder: Path, key: str) -> list[Path]:
    return sorted(folder.glob(f"training-{key}-*.so"))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


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


def _build(command: list[str], folder: Path, key: str) -> Path:
    """Compile into ``folder``; the finished file appears there in one step, whoever else builds the same."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix="building-", ignore_cleanup_errors=True) as temporary:
            source, built = Path(temporary, "training.c"), Path(temporary, "training.so")
            source.write_bytes(_source())
            done = subprocess.run(
                [*command, str(source), "-o", str(built), "-lm"],
                capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode != 0 or not built.exists():
                said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
                raise NoLibrary(f"{command[0]} could not compile the loop: {said[:200] or 'it wrote no file'}")
            path = folder / f"training-{key}-{_digest(built)}.so"
            os.replace(built, path)
            return path
    except subprocess.TimeoutExpired:
        raise NoLibrary(f"{command[0]} did not finish within {TIMEOUT} s") from None
    except OSError as error:
        raise NoLibrary(f"the loop could not be compiled in {folder}: {error}") from None


def _open(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
        getattr(library, SYMBOL).restype = ctypes.c_int64
    except AttributeError:
        raise OSError(f"{path} has no {SYMBOL}") from None
    return library
