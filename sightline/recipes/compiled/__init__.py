"""The compiled engine: linear trainings in C, with the exact engine's trajectory up to rounding."""

from sightline.recipes.compiled.engine import run
from sightline.recipes.compiled.errors import NotCompiled

__all__ = ["NotCompiled", "run"]
