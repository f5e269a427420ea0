"""Story: a case as it is told, apart from where it is told: on a terminal or on a page.

Words are plain text in which `code` stands between backticks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What every case answers, in this order.
TRIED = "What was tried"
GAVE = "What it gave"
BEST = "What the optimum is"
WHY = "Why it fell short"
REACHES = "What reaches it"


@dataclass(frozen=True)
class Code:
    """Lines of Python, as a person writes them."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header.  The first column is words, the others are numbers unless ``words`` says so."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows.

    draw : gives its Axes (one, or a tuple of one figure's) in the theme of that name, 'light' or 'dark'; they carry the
    alternative text, as all pictures of ``sl.show`` do.
    """

    draw: Callable[[str], Axes | tuple[Axes, ...]]
    caption: str


@dataclass(frozen=True)
class Replay:
    """The steps of a training, to be played on a page.  training : a ``Training``."""

    training: Any
    caption: str


Part = str | Code | Table | Picture | Replay


@dataclass(frozen=True)
class Scene:
    """A heading and what stands under it, in order."""

    heading: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Story:
    """A case.

    number, name : what it is called by.  title, question : what it is about.
    outcome : what it comes to, as (heading, sentence) pairs; the short form tells these alone.
    scenes : the whole.  source : where the case comes from.
    """

    number: int
    name: str
    title: str
    question: str
    outcome: tuple[tuple[str, str], ...]
    scenes: tuple[Scene, ...] = field(default=(), repr=False)
    source: str = ""

    def parts(self) -> Iterator[Part]:
        """Every part of every scene."""
        for scene in self.scenes:
            yield from scene.parts


def number(value: float, digits: int = 4) -> str:
    """A number in words: so many significant digits, fewer where they say it exactly, a real minus sign."""
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)) + 1e-12)
    if -4 <= size < 7:
        places = max(0, digits - 1 - size)
        text = f"{value:,.{places}f}"
        for fewer in range(places):
            if abs(round(value, fewer) - value) <= 1e-12 * abs(value):
                text = f"{value:,.{fewer}f}"
                break
    else:
        mantissa, power = f"{value:.{max(0, digits - 1)}e}".split("e")
        text = f"{mantissa}e{int(power)}"
    return text.replace("-", "−")


def share(value: float) -> str:
    """A share in per cent, one place unless it is whole."""
    text = f"{100 * value:.1f}"
    return (text[:-2] if text.endswith(".0") else text) + " %"


def vector(values: Any, digits: int = 4) -> str:
    """Numbers in parentheses."""
    return "(" + ", ".join(number(float(v), digits) for v in values) + ")"
