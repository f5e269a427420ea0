"""Small pictures in SVG that stretch with the page.

Along x everything is in per cent, along y in pixels: so a picture has the width of its place, and its words and dots
keep their size on a telephone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from sightline.coefficient import number


def digits(value: float | None, count: int = 4) -> str:
    """A number for the page, with a minus sign."""
    return number(value, count).replace("-", "−").replace("−inf", "−∞").replace("inf", "∞")


def small(value: float, count: int = 1) -> str:
    """A number as a power of ten, `1e−6`, with ``count`` decimals."""
    if not math.isfinite(value):
        return digits(value)
    mantissa, exponent = f"{value:.{count}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most`` + 1."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next((m * unit for m in (1, 2, 5, 10) if m * unit >= raw * (1 - 1e-9)), 10 * unit)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick's number with the decimals that its step needs."""
    if value == 0 or step <= 0:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return small(value, 0 if step >= 1e-9 + 10 ** math.floor(math.log10(abs(value))) else 1)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{places}f}".replace("-", "−")


class Scale:
    """From data to a share of the width, in per cent, or to pixels from the top."""

    def __init__(self, low: float, high: float, begin: float = 0.0, end: float = 100.0) -> None:
        if not high > low:
            low, high = low - 0.5, high + 0.5
        self.low, self.high, self.begin, self.end = low, high, begin, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.begin + min(max(share, 0.0), 1.0) * (self.end - self.begin), 2)

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """(place, text) of round numbers."""
        values = ticks(self.low, self.high, most)
        step = values[1] - values[0] if len(values) > 1 else abs(values[0]) or 1.0
        return [(self(v), tick_text(v, step)) for v in values]


def anchor(place: float) -> str:
    """How a word at that per cent of the width is aligned, so that it stays inside."""
    return "start" if place < 4 else "end" if place > 96 else "middle"


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A line between (per cent, pixel) places."""
    return f'<line class="{kind}" x1="{x1}%" y1="{y1}" x2="{x2}%" y2="{y2}"/>'


def dot(x: float, y: float, kind: str = "dot", radius: float = 4) -> str:
    """A dot."""
    return f'<circle class="{kind}" cx="{x}%" cy="{y}" r="{radius}"/>'


def word(x: float, y: float, text: str, align: str = "middle", kind: str = "") -> str:
    """A word."""
    cls = f' class="{kind}"' if kind else ""
    return f'<text{cls} x="{x}%" y="{y}" text-anchor="{align}">{escape(text)}</text>'


def svg(height: float, parts: Sequence[str], alternative: str | None) -> str:
    """A picture; without an alternative text it is an ornament of the words beside it."""
    role = f'role="img" aria-label="{escape(alternative)}"' if alternative else 'aria-hidden="true"'
    return f'<svg height="{height}" {role}>{"".join(parts)}</svg>'


def frame(
    height: float, x: Scale | None, y: Sequence[tuple[float, str]], parts: Sequence[str], alternative: str,
    x_name: str, x_ticks: Sequence[tuple[float, str]] | None = None,
) -> str:
    """A picture with axes: y labels to the left of it, x labels and the name of x below.

    y : (pixel, text) of the labels.
    """
    left = [f'<text x="100%" y="{at + 4}" text-anchor="end">{escape(text)}</text>' for at, text in y]
    grid = [line(0, at, 100, at, "grid") for at, _ in y]
    below = list(x_ticks) if x_ticks is not None else x.ticks() if x is not None else []
    marks = [line(at, height, at, height + 4, "axis") + word(at, height + 18, text, anchor(at)) for at, text in below]
    base = line(0, height, 100, height, "axis")
    name = word(50, height + 38, x_name)
    total = height + 46
    return (
        f'<div class="plot">{svg(total, left, None)}'
        f"{svg(total, [*grid, base, *marks, name, *parts], alternative)}</div>"
    )
