"""The contenders: one file a package, each with ``contenders()``; a package is imported only where it fits."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata

from bench.peers.base import Contender
from bench.problems import Problem

OURS = "sightline"


@dataclass(frozen=True)
class Package:
    """Where a package's contenders are, and how to tell whether it is installed."""

    adaptor: str
    module: str
    distribution: str


PACKAGES: dict[str, Package] = {
    OURS: Package("ours", "sightline", "sightline"),
    "snapml": Package("snapml_peer", "snapml", "snapml"),
    "glum": Package("glum_peer", "glum", "glum"),
    "skglm": Package("skglm_peer", "skglm", "skglm"),
    "celer": Package("celer_peer", "celer", "celer"),
    "cyanure": Package("cyanure_peer", "cyanure", "cyanure"),
    "intelex": Package("intelex_peer", "sklearnex", "scikit-learn-intelex"),
    "torch": Package("torch_peer", "torch", "torch"),
    "sklearn": Package("sklearn_peer", "sklearn", "scikit-learn"),
    "statsmodels": Package("statsmodels_peer", "statsmodels", "statsmodels"),
}
"""In the order they run: those that are fast on something first, as their times bound what is tried of the others."""


def installed(package: str) -> bool:
    """Whether the package can be imported here (it is not imported)."""
    return importlib.util.find_spec(PACKAGES[package].module) is not None


def version(package: str) -> str:
    """The installed version, or why there is none."""
    try:
        return metadata.version(PACKAGES[package].distribution)
    except metadata.PackageNotFoundError:
        return "from the checkout" if installed(package) else "not installed"


def of_package(package: str) -> list[Contender]:
    """All contenders of a package; the adaptors import the package itself only when they fit."""
    found: list[Contender] = importlib.import_module(f"bench.peers.{PACKAGES[package].adaptor}").contenders()
    return found


def entered(problem: Problem, package: str) -> list[Contender]:
    """The package's contenders that solve this problem."""
    return [c for c in of_package(package) if c.solves(problem)]


def named(name: str) -> Contender:
    """The contender of this name."""
    return next(c for c in of_package(name.split(maxsplit=1)[0]) if c.name == name)
