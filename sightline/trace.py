"""Trace: what happened, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Trace:
    """The steps of a fit, one entry each.

    value : objective at the step's weights (weighted mean loss + penalty).
    gap : proven bound on the distance of ``value`` from the optimum; inf where none was computed.
    gradient_norm : Euclidean norm of the smooth part's gradient, in the solver's own (standardised) coordinates.
    seconds : time since the start of the fit.
    working : (step number, weights) pairs in the solver's coordinates, thinned: steps 0..63 all, then those whose
        number has at most six leading significant bits (64, 66, .., 128, 132, ..), so a long trace holds about 32 for
        each doubling.  ``weights`` are the same in the user's units.
    to_user : the way from the one to the other; None where they are the same.
    """

    value: list[float] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    working: list[tuple[int, Any]] = field(default_factory=list, repr=False)
    to_user: Callable[[Any], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def weights(self) -> list[tuple[int, Any]]:
        """(step number, weights) pairs in the user's units."""
        convert = self.to_user
        return self.working if convert is None else [(step, convert(w)) for step, w in self.working]

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[tuple[int, float, float, float, float]]:
        """(step, value, gap, gradient norm, seconds)."""
        return iter(
            zip(range(len(self)), self.value, self.gap, self.gradient_norm, self.seconds, strict=True),
        )

    def append(self, value: float, gap: float, gradient_norm: float, seconds: float, weights: Any = None) -> None:
        """Record one step."""
        step = len(self.value)
        self.value.append(value)
        self.gap.append(gap)
        self.gradient_norm.append(gradient_norm)
        self.seconds.append(seconds)
        if weights is not None and kept(step):
            self.working.append((step, weights))


def kept(step: int) -> bool:
    """Whether a trace keeps the weights of this step (at most six significant bits)."""
    return step < 64 or step % (1 << (step.bit_length() - 6)) == 0
