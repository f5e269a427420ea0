"""Waiting for the script to import PyTorch, so that what it sets before that import (threads, devices) counts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class AfterTorch(MetaPathFinder):
    """A finder that calls ``begin`` as soon as ``import torch`` is done; ``withdraw`` takes it away."""

    def __init__(self, begin: Callable[[], Any]) -> None:
        self._begin = begin

    def install(self) -> None:
        """Begin at once where PyTorch is imported already."""
        if "torch" in sys.modules:
            self._begin()
        else:
            sys.meta_path.insert(0, self)

    def withdraw(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The usual answer for torch, with a loader that tells when it is done; none for others."""
        if fullname != "torch":
            return None
        self.withdraw()
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Telling(spec.loader, self._begin)
        return spec


class _Telling(Loader):
    """A loader that does what another does, and tells when a module is loaded."""

    def __init__(self, loader: Any, begin: Callable[[], Any]) -> None:
        self._loader = loader
        self._begin = begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other does."""
        found: ModuleType | None = self._loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        """As the other does; then the module has its usual loader."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._begin()
