"""Is a text a date or a time of day? Asked of the distinct texts of a column, never of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s*(?:[ap]m)?"
_ZONE = r"\s*(?:z|utc|gmt|[+-]\d{2}:?\d{2})?"
_DAY = "|".join(
    (
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",  # 2024-03-31
        r"\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})",  # 31.03.2024, 3/31/24
        rf"\d{{1,2}}(?:st|nd|rd|th)?[\s-]+{_MONTH}[\s,-]+\d{{2,4}}",  # 31 March 2024
        rf"{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}",  # March 31, 2024
        rf"(?:{_MONTH}[\s-]+\d{{4}}|\d{{4}}-(?:0[1-9]|1[0-2]))",  # Mar 2024, 2024-03
    )
)
_DATE = re.compile(rf"(?:{_DAY})(?:[t\s]\s*{_TIME}{_ZONE})?|{_TIME}{_ZONE}", re.IGNORECASE)


def is_date(text: str) -> bool:
    """Whether `text` as a whole is a date, a time of day, or both, in a common way of writing them."""
    return len(text) <= 40 and _DATE.fullmatch(text.strip()) is not None


def are_dates(levels: Sequence[str], share: float = 0.9) -> bool:
    """Whether at least `share` of the distinct texts `levels` are dates."""
    allowed = int((1.0 - share) * len(levels))
    misses = 0
    for level in levels:
        if not is_date(level):
            misses += 1
            if misses > allowed:
                return False
    return len(levels) > 0
