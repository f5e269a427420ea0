"""How pictures look: light and dark, colour-blind safe.

Series are told apart by colour (Okabe & Ito 2008, "Color universal design"), dash and marker together; steps of one
training by lightness; surfaces by viridis, which keeps its order without colour. The optimum has one sign everywhere:
a star in the colour of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

DASHES = ("-", (0, (6, 2)), (0, (2, 1.4)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (9, 2, 2, 2, 2, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True)
class Theme:
    """Colours of a picture.

    page, ink, soft, grid : background, text, lesser text, lines of the grid.
    series : colours of what is compared, in order.  faint, dark : of the first and last step of one training.
    low, high : of the two classes (negative, positive).  alarm : of a limit.
    surface : from the highest value of a surface to its lowest.
    """

    name: str
    page: str
    ink: str
    soft: str
    grid: str
    series: tuple[str, ...]
    faint: str
    dark: str
    low: str
    high: str
    alarm: str
    surface: tuple[str, ...]


LIGHT = Theme(
    "light", "#ffffff", "#1a1e24", "#57606c", "#e3e7ec",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    "#bcd3e6", "#0b3c61", "#d55e00", "#009e73", "#b8400a",
    ("#fbf3c4", "#c7e6c0", "#8fd3c0", "#5bb8c4", "#4f97c0", "#5a73b0", "#5f4f93"),
)  # fmt: skip
DARK = Theme(
    "dark", "#13161a", "#e9ebee", "#a3acb7", "#2b323a",
    ("#56b4e9", "#e69f00", "#00b884", "#e39ac6", "#f0e442", "#d5733a"),
    "#2f4a5f", "#a5dcff", "#e69f00", "#00b884", "#ff8f5a",
    ("#1b2030", "#1f3447", "#22505c", "#2a6f68", "#4b8f62", "#8bab52", "#d6c34d"),
)  # fmt: skip
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}

_current: ContextVar[Theme] = ContextVar("sightline_theme", default=LIGHT)


def as_theme(theme: str | Theme | None) -> Theme:
    """The theme of that name, the theme itself, or for None the one of the context (``sl.show.theme``).

    Raises
    ------
    ValueError : no theme has that name.
    """
    if theme is None:
        return _current.get()
    if isinstance(theme, Theme):
        return theme
    if theme not in THEMES:
        raise ValueError(f"theme={theme!r}; choose {' or '.join(map(repr, THEMES))}.")
    return THEMES[theme]


@contextmanager
def theme(theme: str | Theme) -> Iterator[Theme]:
    """Pictures drawn inside ``with sl.show.theme("dark"):`` have that theme; other threads' and tasks' keep theirs."""
    found = as_theme(theme)
    token = _current.set(found)
    try:
        yield found
    finally:
        _current.reset(token)
