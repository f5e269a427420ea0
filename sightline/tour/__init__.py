"""The tour: five trainings that fell short of their optimum, run here, measured and explained.

Each case is a file, whose ``facts(short)`` runs it and gives its numbers as a frozen dataclass, and another,
``..._told``, whose ``story(facts)`` tells them.  ``short`` leaves out what takes more than a second, and so does a
machine without a C compiler; facts that need it are then None or empty.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from sightline.tour.story import Story

__all__ = ["CASES", "Case", "Story", "find", "tell"]


@dataclass(frozen=True)
class Case:
    """A case by number and name, with the module that runs and tells it."""

    number: int
    name: str
    module: str

    def story(self, short: bool = False) -> Story:
        """Run it, and the story of what came out."""
        facts = importlib.import_module(f"sightline.tour.{self.module}").facts(short)
        story: Story = importlib.import_module(f"sightline.tour.{self.module}_told").story(facts)
        return story


CASES = (
    Case(1, "hinge", "hinge"),
    Case(2, "fahrenheit", "fahrenheit"),
    Case(3, "two-points", "two_points"),
    Case(4, "line", "line"),
    Case(5, "iris", "iris"),
)


def find(name: str) -> Case:
    """The case of that number or name.

    Raises
    ------
    ValueError : there is none; the message lists them.
    """
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    for case in CASES:
        if wanted in (str(case.number), case.name):
            return case
    listed = ", ".join(f"{case.number} {case.name}" for case in CASES)
    raise ValueError(f"there is no case {name!r} on the tour; the cases are {listed}.")


def tell(name: str, short: bool = False) -> Story:
    """Run the case of that number or name, and its story."""
    return find(name).story(short)
