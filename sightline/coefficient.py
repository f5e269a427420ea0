"""One coefficient with what is known of it, and numbers as a person reads them."""

from __future__ import annotations

import math
from dataclasses import dataclass

INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Coefficient:
    """One coefficient: of a column in one output, in the data's units.

    low, high : 95 % interval; error : standard error; None where the theory gives none.  spread : the column's standard
    deviation, or None where unknown.
    """

    name: str
    output: str
    estimate: float
    error: float | None = None
    low: float | None = None
    high: float | None = None
    spread: float | None = None

    @property
    def statistic(self) -> float | None:
        """Estimate over standard error."""
        return self.estimate / self.error if self.error else None

    @property
    def standardised(self) -> float | None:
        """What one standard deviation more of the column adds to the score."""
        return None if self.spread is None else self.estimate * self.spread

    @property
    def rank(self) -> float:
        """By what the largest are chosen: |z|, else the size of the standardised coefficient, else of the estimate."""
        for value in (self.statistic, self.standardised):
            if value is not None:
                return abs(value)
        return abs(self.estimate)

    @property
    def clear(self) -> bool:
        """The interval does not contain zero (without one: the coefficient is not zero)."""
        if self.low is None or self.high is None:
            return self.estimate != 0
        return self.low > 0 or self.high < 0


def coefficient(
    name: str, output: str, estimate: float, error: float | None, factor: float | None, spread: float | None,
    ends: tuple[float | None, float | None] | None = None,
) -> Coefficient:
    """A coefficient with its interval, of ``factor`` standard errors to either side, where both are known, or from and
    to the ``ends``."""
    if ends is not None:
        return Coefficient(name, output, estimate, error, *ends, spread)
    if error is None or factor is None:
        return Coefficient(name, output, estimate, spread=spread)
    half = factor * error
    return Coefficient(name, output, estimate, error, estimate - half, estimate + half, spread)


def number(value: float | None, digits: int = 4) -> str:
    """A number in few digits, without an exponent where one can do without; '–' for None."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "inf" if value > 0 else "-inf"
    size = int(f"{value:.{digits - 1}e}".split("e")[1])
    if -4 <= size < 7:
        return f"{value:,.{max(digits - 1 - size, 0)}f}"
    return f"{value:.{max(digits - 2, 1)}e}"


def beside(value: float, error: float | None) -> str:
    """An estimate with the digits that its standard error makes worth showing."""
    if not error or not math.isfinite(error) or abs(value) >= 1e7:
        return number(value)
    places = 2 - math.floor(math.log10(error))
    return number(value, 3) if places > 7 else f"{value:,.{max(places, 0)}f}"
