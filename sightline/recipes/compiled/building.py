"""From the C sources to a shared library, with the system's C compiler.

Nothing of Sightline or PyTorch is imported here, so that an installation can build before either is there.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

# No -ffast-math and no fusing: the trajectory is to be PyTorch's. -O2 takes twice as long to compile and gains little.
FLAGS = ("-std=c11", "-O1", "-ftree-vectorize", "-ffp-contract=off", "-fPIC", "-shared")
NATIVE = "-march=native"
SINGLE = "-DSIGHTLINE_FLOAT"
SOURCES = ("types.c", "losses.c", "optimizers.c", "training.c")  # one after the other, one file for the compiler
HERE = Path(__file__).parent
INSTALLED = HERE / "built"  # what an installation has built
COMPILERS = ("cc", "gcc", "clang")
TIMEOUT = 60  # seconds for one build


class NoLibrary(RuntimeError):
    """There is no compiled loop on this machine; the message says why."""


def command_for(single: bool) -> list[str] | None:
    """The compiler and its flags for float32 (``single``) or float64, without the files; None without a compiler."""
    named = shlex.split(os.environ.get("CC", ""))
    for candidate in ([named] if named else [[name] for name in COMPILERS]):
        program = shutil.which(candidate[0])
        if program is not None:
            native = [NATIVE] if _processor() and platform.machine().lower() in ("x86_64", "amd64") else []
            return [program, *candidate[1:], *FLAGS, *native, *([SINGLE] if single else [])]
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
    return b"\n".join((HERE / name).read_bytes() for name in SOURCES)


def key_of(command: list[str]) -> str:
    """What a library is made from: the sources, the flags, the compiler, the processor."""
    compiler = Path(command[0]).resolve()
    stat = compiler.stat()
    made_from = [*command, str(compiler), str(stat.st_size), str(stat.st_mtime_ns), platform.machine(), _processor()]
    return hashlib.sha256("\0".join(made_from).encode() + b"\0" + _source()).hexdigest()[:16]


def digest_of(path: Path) -> str:
    """Of a file's bytes; empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def build(command: list[str], folder: Path, key: str) -> Path:
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
            path = folder / f"training-{key}-{digest_of(built)}.so"
            os.replace(built, path)
            return path
    except subprocess.TimeoutExpired:
        raise NoLibrary(f"{command[0]} did not finish within {TIMEOUT} s") from None
    except OSError as error:
        raise NoLibrary(f"the loop could not be compiled in {folder}: {error}") from None
