"""What a solver is: a frozen dataclass whose ``steps`` is a generator of steps.

It has no tolerance, no verbosity, no callback: the driver stops it, records it, interrupts it.  Each step carries
weights that are the best so far in the solver's eyes and, where it is cheap to have, a proven bound on their gap.
A generator that ends says that it cannot do better.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from sightline.bounds import NO_BOUND, Bound
from sightline.objective import Objective, Weights


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a solver.

    weights : in the coordinates of the objective given.  value : objective there.
    gradient_norm : of the smooth part.  bound : proven gap of ``weights``, NO_BOUND where none was computed.
    digits : proven decimal digits of the coefficients where the solver knows (direct least squares).
    rank : of the columns, where the solver examined it itself and the solution is not unique.
    """

    weights: Weights
    value: float
    gradient_norm: float
    bound: Bound = NO_BOUND
    digits: float | None = None
    rank: int | None = None


class Solver(abc.ABC):
    """A method.  Subclasses are frozen dataclasses; their fields are its settings.

    own_coordinates : the method wants the problem as the user gave it; scaling and ranks are its own business.
    """

    name: ClassVar[str]
    own_coordinates: ClassVar[bool] = False

    @abc.abstractmethod
    def refuses(self, objective: Objective) -> str | None:
        """Why this method cannot solve that problem, as the end of "solver 'name' ...", or None if it can."""

    @abc.abstractmethod
    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """Steps from ``start``, each at least as good as the last as far as the method can tell."""

    def __str__(self) -> str:
        return self.name
