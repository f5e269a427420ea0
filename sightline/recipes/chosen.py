"""Which steps a trace records: rules that can be asked for one step or for all of a stretch at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Every:
    """Every k-th step; none where k is 0."""

    k: int

    def __call__(self, step: int) -> bool:
        """Whether this step is recorded."""
        return self.k > 0 and step % self.k == 0

    def among(self, first: int, last: int) -> list[int]:
        """Those from ``first`` up to ``last``, both included."""
        return list(range(-(-first // self.k) * self.k, last + 1, self.k)) if self.k else []


@dataclass(frozen=True)
class Significant:
    """Steps whose number has at most ``bits`` significant bits: all at first, then ever fewer."""

    bits: int

    def __call__(self, step: int) -> bool:
        """Whether this step is recorded."""
        return step % self._spacing(step) == 0

    def among(self, first: int, last: int) -> list[int]:
        """Those from ``first`` up to ``last``, both included."""
        found: list[int] = []
        while first <= last:
            octave = min(last, (1 << first.bit_length()) - 1)
            found += Every(self._spacing(first)).among(first, octave)
            first = octave + 1
        return found

    def _spacing(self, step: int) -> int:
        return 1 << max(step.bit_length() - self.bits, 0)
