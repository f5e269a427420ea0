"""How a file is to be read, where its own looks do not say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What `read` was told besides the file. None means: find out."""

    target: str | None = None
    labels: str | None = None
    features: str | None = None
    categorical: tuple[str, ...] = ()
    na: tuple[str, ...] = ()
    header: bool = True
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
