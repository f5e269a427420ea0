"""Solvers: one file a method, each only its mathematics, under the driver in ``fit``."""

from sightline.solvers.base import Solver, Step

__all__ = ["Solver", "Step"]
