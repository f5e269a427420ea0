"""What there is to say about the separation of some data."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.coefficient import INTERCEPT

if TYPE_CHECKING:
    from sightline.separating.limit_fit import LimitFit
    from sightline.separating.overlap import Overlap, Problem
    from sightline.separating.question import Question

Kind = Literal["complete", "quasi-complete", "none"]


@dataclass(frozen=True)
class Direction:
    """A separating direction: moving the weights along it raises no row's loss.

    coef (K, p), intercept (K,) : float64, K = 1 for two classes, in the data's own units; whole numbers where float64
        holds them.  integers : (K, p + 1) Python integers, the intercept last: what was verified.
    verified : 'exact' (in integers, every float64 being an integer times a power of two) or 'rounding' (the margins
        that should be zero are so to within the rounding of the data).
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    integers: NDArray[Any] = field(repr=False)
    verified: str


@dataclass(frozen=True)
class Fate:
    """Where one coefficient of the model without a penalty goes.

    column : its name, ``(intercept)`` for the intercept.  output : its class, against the reference; '' for two.
    fate : 'finite', '+Inf', '-Inf', 'direction-dependent', 'aliased' (a combination of the columns before it) or
        'undetermined' (too large, or the time ended).
    step : its entry in the separating direction, against the reference's.
    """

    column: str
    output: str
    fate: str
    step: float


@dataclass(frozen=True)
class Separation:
    """The answer of ``sl.separation``.

    kind : 'complete' (a hyperplane, or for several classes scores, put every row strictly on its own side),
        'quasi-complete' (some rows strictly, the others at best on the boundary) or 'none' (the maximum-likelihood
        estimate exists).
    rows : (m,) indices of the separated rows, whose loss falls along the direction, ascending.
    settled : (n',) indices of the rows whose loss tends to zero; for two classes the same rows.
    direction : ``Direction``, or None for 'none'.
    coefficients : a ``Fate`` for each coefficient, class after class, the intercept first.
    overlap : what is known of the other rows: 'proven' (none of them can be separated, by multipliers that sum their
        margins to zero), 'rounding' (the same, but the columns that are dependent on them were told in float64),
        'not proven' (the search found no direction; too large or too close to call), '' where no row is left.
    n, n_rows : rows of positive weight, and how many are separated.
    classes, reference : labels; the class against which the others' coefficients are (several classes only).
    absent : classes without rows.
    """

    kind: Kind
    rows: NDArray[np.int64]
    settled: NDArray[np.int64]
    direction: Direction | None
    coefficients: tuple[Fate, ...]
    overlap: str
    n: int
    classes: tuple[Any, ...]
    reference: Any
    absent: tuple[Any, ...]
    _question: Question = field(repr=False, compare=False)
    _problem: Problem | None = field(default=None, repr=False, compare=False)
    _known: Overlap | None = field(default=None, repr=False, compare=False)

    @property
    def n_rows(self) -> int:
        """Number of separated rows."""
        return len(self.rows)

    @property
    def separated(self) -> bool:
        """There is no finite maximum-likelihood estimate."""
        return self.kind != "none"

    @cached_property
    def fates(self) -> dict[Any, str]:
        """Column name -> fate for two classes; (class, column) -> fate for more."""
        if len(self.classes) == 2:
            return {c.column: c.fate for c in self.coefficients}
        return {(c.output, c.column): c.fate for c in self.coefficients}

    def of(self, *fates: str) -> list[Fate]:
        """The coefficients of the given fates, e.g. ``of('+Inf', '-Inf')``."""
        return [c for c in self.coefficients if c.fate in fates]

    def limit_fit(self) -> LimitFit:
        """The fit to which every sequence of weights tends whose loss tends to its infimum: finite coefficients with
        standard errors, infinite ones as such, and the deviance of the overlapping rows.

        Raises
        ------
        ValueError : the overlapping rows are too many, or too close to separation, to be solved.
        """
        from sightline.separating.limit_fit import limit_fit

        return limit_fit(self, self._question, self._problem, self._known)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        arrow = self.direction
        return {
            "kind": self.kind, "n": self.n, "n_rows": self.n_rows, "rows": self.rows.tolist(),
            "settled": self.settled.tolist(), "overlap": self.overlap, "classes": list(self.classes),
            "reference": self.reference if len(self.classes) > 2 else None,
            "direction": None if arrow is None else {
                "coef": arrow.coef.tolist(), "intercept": arrow.intercept.tolist(), "verified": arrow.verified,
            },
            "coefficients": [
                {**({"class": c.output} if c.output else {}), "name": c.column, "fate": c.fate, "step": c.step}
                for c in self.coefficients
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        from sightline.separating.words import text

        return text(self)


def is_intercept(fate: Fate) -> bool:
    """Whether it is the intercept's."""
    return fate.column == INTERCEPT
