"""What ``sightline check`` was asked to do, and whether that can be done at all."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

SHOWN, ASIDE, HIDDEN = "show", "stderr", "hide"


class CannotCheck(ValueError):
    """There is nothing that could be checked; the message is one sentence for the person."""


@dataclass(frozen=True)
class Command:
    """A script with its arguments, and how it is to be watched.

    script : its path as it was typed, '' where there is a module.  module : the dotted name of ``-m``, '' where there
    is a script.  arguments : the script's own, as they were typed.
    time_limit : seconds that the script may run, None for no limit.  max_steps : optimizer steps that are watched
    before it is stopped, None for no limit.  every : one step in so many is recorded whole, None for as many as the
    watching finds fit.
    select : ids of the rules to ask, empty for all.  ignore : ids of those to leave out.
    attempt : whether mends are tried.
    script_output : where the script's standard output goes: 'show' passes it through, 'stderr' sends it to standard
    error (so that standard output is free for JSON), 'hide' drops it and its standard error too.
    """

    script: str = ""
    module: str = ""
    arguments: tuple[str, ...] = ()
    time_limit: float | None = None
    max_steps: int | None = None
    every: int | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    attempt: bool = True
    script_output: str = SHOWN

    @property
    def name(self) -> str:
        """What the training is called: the script's path, or ``-m package.module``."""
        return f"-m {self.module}" if self.module else self.script

    def wants(self, rule: str) -> bool:
        """Whether that rule is to be asked."""
        return (not self.select or rule in self.select) and rule not in self.ignore


def must_be_runnable(command: Command) -> None:
    """Raises CannotCheck with a sentence where the script or module is not there, or is no Python; runs none of it."""
    if command.module:
        _module(command.module)
    else:
        _script(command.script)


def _script(name: str) -> None:
    path = Path(name)
    try:
        if path.is_dir():
            raise CannotCheck(f"{name} is a directory: name the script in it that trains, such as {path / 'train.py'}")
        if not path.exists():
            raise CannotCheck(f"{name}: there is no such file{_neighbour(path)}")
        if not path.is_file():
            raise CannotCheck(f"{name} is not a regular file: name the script")
        if path.suffix == ".ipynb":
            raise CannotCheck(f"{name} is a notebook: put %%sightline above the cell that trains instead")
        source = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, CannotCheck):
            raise
        raise CannotCheck(f"{name!r} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    must_be_python(name, source)


def must_be_python(name: str, source: bytes) -> None:
    """Raises CannotCheck where bytes are no Python, with the line and Python's own reason."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if b"\0" in source:
        raise CannotCheck(f"{name} is not Python: it holds zero bytes, as data or compiled files do")
    try:
        # Warnings about the script's own text are the script's to show, when it runs.
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise CannotCheck(f"{name} is not Python {version}: {error.msg}{where}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise CannotCheck(f"{name} is not Python {version}: {error or type(error).__name__}") from None


def _neighbour(path: Path) -> str:
    """The Python file in the same folder that was probably meant."""
    import difflib

    try:
        there = sorted(p.name for p in path.parent.iterdir() if p.suffix == ".py")
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, there, n=1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def _module(name: str) -> None:
    """Looks for the module as ``python -m`` would, without importing its packages."""
    places: list[str] | None = [str(Path.cwd()), *sys.path]
    spec: ModuleSpec | None = None
    if name.endswith(".py") or "/" in name:
        raise CannotCheck(f"-m {name}: -m takes a module's name, package.module; for a file leave -m out")
    parts = name.split(".")
    for k, part in enumerate(parts):
        known = ".".join(parts[: k + 1])
        if not part.isidentifier():
            raise CannotCheck(f"-m {name}: that is no module's name; write it as package.module, without .py")
        spec = PathFinder.find_spec(known, places) if places is not None else None
        if spec is None:
            beside = "" if k == 0 else f" in {'.'.join(parts[:k])}"
            raise CannotCheck(f"-m {name}: there is no module {part!r}{beside}, from here ({Path.cwd()})")
        places = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    if places is not None:
        spec = PathFinder.find_spec(f"{name}.__main__", places)
        if spec is None:
            raise CannotCheck(f"-m {name}: {name} is a package without __main__.py: name the module that trains")
    if spec is not None and spec.origin and spec.origin.endswith(".py"):
        must_be_python(spec.origin, Path(spec.origin).read_bytes())
