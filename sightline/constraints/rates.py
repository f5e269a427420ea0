"""Rates of a classifier, and what is asked of them: ``sl.recall() >= 0.9``.

Each is a quotient of sums over rows, in the predictions h_i (1 where the second class is predicted, else 0).  They can
be compared with a number, and taken from one another:

    sl.recall(where=old) - sl.recall(where=young) <= 0.05
    abs(sl.selection_rate(where=a) - sl.selection_rate(where=b)) <= 0.1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

KINDS = ("recall", "precision", "false_positive_rate", "specificity", "selection_rate", "accuracy")
ALSO = {"fpr": "false_positive_rate", "tpr": "recall", "sensitivity": "recall", "tnr": "specificity"}


@dataclass(frozen=True, eq=False)
class Rate:
    """A rate of one class, over all rows or those of a group.

    kind : one of ``KINDS``.  of : the label it speaks of (the second class by default); None for the default.
    where : (n,) booleans, the rows of the group, or None for all.  name : how the group is called.
    """

    kind: str
    of: Any = None
    where: Any = None
    name: str | None = None

    def __str__(self) -> str:
        inside = [] if self.of is None else [f"of {self.of!r}"]
        if self.where is not None:
            inside.append(self.name or "group")
        return self.kind + (f"[{', '.join(inside)}]" if inside else "")

    def __ge__(self, level: float) -> Constraint:
        return Constraint(Difference(self), ">=", _level(level, self, 0.0))

    def __le__(self, level: float) -> Constraint:
        return Constraint(Difference(self), "<=", _level(level, self, 0.0))

    def __sub__(self, other: Rate) -> Difference:
        if not isinstance(other, Rate):
            return NotImplemented
        for rate in (self, other):
            if rate.kind == "precision":
                raise ValueError(
                    "a difference of precisions is no sum over rows, as what it divides by depends on the predictions;"
                    " bound the precision of each group instead."
                )
        return Difference(self, other)

    def __bool__(self) -> bool:
        raise TypeError(f"{self} is a rate, not a number: compare it once, as in sl.{self.kind}() >= 0.9.")


@dataclass(frozen=True, eq=False)
class Difference:
    """first - second, or ``first`` alone; ``absolute`` for its size."""

    first: Rate
    second: Rate | None = None
    absolute: bool = False

    def __str__(self) -> str:
        words = str(self.first) if self.second is None else f"{self.first} - {self.second}"
        return f"|{words}|" if self.absolute else words

    def __abs__(self) -> Difference:
        return replace(self, absolute=True)

    def __le__(self, level: float) -> Constraint:
        return Constraint(self, "<=", _level(level, self, 0.0 if self.absolute else -1.0))

    def __ge__(self, level: float) -> Constraint:
        if self.absolute:
            raise ValueError(f"{self} >= {level}: a difference can be kept small by weights, not kept large; use <=.")
        return Constraint(self, ">=", _level(level, self, -1.0))


@dataclass(frozen=True, eq=False)
class Constraint:
    """What is asked of a rate or of a difference of two; ``sense`` is '>=' or '<='."""

    rate: Difference
    sense: str
    level: float

    def __str__(self) -> str:
        return f"{self.rate} {self.sense} {self.level:g}"

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} is a constraint, not a truth value: write two of them in place of a chain such as"
            " 0.8 <= sl.recall() <= 0.9."
        )

    def at(self, level: float) -> Constraint:
        """The same at another level."""
        return replace(self, level=level)


def _level(level: Any, of: object, least: float) -> float:
    try:
        number = float(level)
    except (TypeError, ValueError):
        raise TypeError(f"{of} is compared with {level!r}; it must be a number from {least:g} to 1.") from None
    if not (math.isfinite(number) and least <= number <= 1):
        hint = f" Did you mean {number / 100:g}?" if 1 < number <= 100 else ""
        raise ValueError(f"{of} is asked to be {number:g}; a rate lies between {least:g} and 1.{hint}")
    return number


def _maker(kind: str, text: str) -> Callable[..., Rate]:
    def rate(of: Any = None, where: Any = None, name: str | None = None) -> Rate:
        return Rate(kind, of, where, name)

    rate.__name__ = rate.__qualname__ = kind
    rate.__doc__ = f"""{text}

    of : the class that counts as positive, the second (in sorted order) by default.
    where : (n,) booleans, the rows of a group; all rows by default.  name : how the group is called in reports.
    """
    return rate


recall = _maker("recall", "Share of the rows of the class that are predicted as it (true-positive rate).")
precision = _maker("precision", "Share of the rows predicted as the class that are of it.")
false_positive_rate = _maker("false_positive_rate", "Share of the other class's rows that are predicted as the class.")
specificity = _maker("specificity", "Share of the other class's rows that are not predicted as the class.")
selection_rate = _maker("selection_rate", "Share of all rows that are predicted as the class.")
accuracy = _maker("accuracy", "Share of all rows whose class is predicted.")


def parse(text: str, group: Callable[[str, str], Any] | None = None) -> Constraint:
    """The constraint that a text states: ``recall>=0.9``, ``recall(spam)>=0.9`` of a class, ``recall[sex=f]>=0.8`` of
    a group, ``|recall[sex=f] - recall[sex=m]|<=0.1``.

    group : gives the rows of a group, (n,) booleans, for a column and a value; None where there are no columns.

    Raises
    ------
    ValueError : the text is no constraint; the message says what is wrong in it.
    """
    import re

    shape = re.fullmatch(r"\s*(.+?)\s*(>=|<=|>|<|=+)\s*([^\s<>=\]]+)\s*", text)
    if shape is None or shape[2] not in (">=", "<="):
        raise ValueError(f"{text!r} is no constraint; write a rate, >= or <=, and a number: 'recall>=0.9'.")
    left, sense, right = shape[1], shape[2], shape[3]
    try:
        level = float(right.removesuffix("%")) / (100 if right.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{text!r}: {right!r} is not a number from 0 to 1.") from None
    absolute = left.startswith("|") and left.endswith("|")
    rates = [_parse_rate(part, text, group) for part in re.split(r"\s+-\s+", left.strip("|").strip())]
    if len(rates) > 2:
        raise ValueError(f"{text!r} has more than two rates; a difference has two.")
    if len(rates) == 1:
        if absolute:
            raise ValueError(f"{text!r}: the bars are for a difference of two rates.")
        return rates[0] >= level if sense == ">=" else rates[0] <= level
    both = rates[0] - rates[1]
    both = abs(both) if absolute else both
    return both >= level if sense == ">=" else both <= level


def _parse_rate(part: str, text: str, group: Callable[[str, str], Any] | None) -> Rate:
    import difflib
    import re

    shape = re.fullmatch(
        r"([\w\- ]+?)\s*(?:\(\s*([^)]+?)\s*\))?\s*(?:\[\s*([^=\]]+?)\s*=\s*([^\]]*?)\s*\])?", part.strip()
    )
    kind = "" if shape is None else shape[1].strip().lower().replace("-", "_").replace(" ", "_")
    kind = ALSO.get(kind, kind)
    if shape is None or kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"{text!r}: {part.strip()!r} is not a rate; known are {', '.join(KINDS)}.{meant}")
    if shape[3] is None:
        return Rate(kind, shape[2])
    if group is None:
        raise ValueError(f"{text!r} names a column, and there are none here.")
    return Rate(kind, shape[2], group(shape[3], shape[4]), f"{shape[3]}={shape[4]}")
