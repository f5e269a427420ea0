"""What all pictures have in common: plain data with the words that belong to them."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar


class PictureError(ValueError):
    """A picture cannot be drawn of what was given; the message says what it needs and how to give it."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The data of a picture, as numbers, words and lists of them.

    title : what the picture says, a sentence.  subtitle : how to read it.
    alternative : the same for who cannot see it: what is drawn, with its main numbers.
    """

    kind: ClassVar[str] = ""
    title: str = ""
    subtitle: str = ""
    alternative: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, ``kind`` among them; numbers that are not finite become None."""
        return {"kind": self.kind, **_plain(self)}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def number(value: float, digits: int = 3) -> str:
    """A number in words of a picture: a real minus sign, no trailing zeros, powers of ten as 1e−6."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{max(digits - 2, 0)}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return ("0" if text in ("-0", "") else text).replace("-", "−")


def percent(share: float) -> str:
    """A share as whole per cent, or with as many places as it takes not to round to 0 or 100."""
    for places in (0, 1):
        text = f"{100 * share:.{places}f}"
        if share in (0, 1) or float(text) not in (0, 100):
            return f"{text} %"
    return "more than 99.9 %" if share > 0.5 else "less than 0.1 %"


def count(n: int, one: str, many: str | None = None) -> str:
    """'1 step', '2,000 steps'."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
