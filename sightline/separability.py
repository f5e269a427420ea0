"""Does a problem without a penalty have a minimum at all?  Directions in which the loss never increases.

The search works down a list, cheapest first, on the margins (see ``cone``) that do not fall yet: single columns,
directions that the solver's own steps suggest, a least-squares solution where there are more columns than rows, and
the linear program max Σ margins, margins >= 0, in a box (Konis 2007), with rows added as they are violated.  Whatever
is found is turned into whole numbers and verified; what falls is taken out and the search goes on among the rest
until nothing is found, so the rows that fall in the end are, as a rule, all that can.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sightline.certificate import Witness
from sightline.cone import Cone, Mask, witness
from sightline.exact import Floats, Integers, null_vector
from sightline.objective import Objective, Weights
from sightline.separable_columns import column_directions, integer_direction, separates_at_once
from sightline.separable_program import CLEAR, Program

SECONDS = 15.0  # what the search may take
TIGHT = 1e-7  # margins below this, of a direction of about unit length and columns of about unit size, count as zero
ROUNDS = 60


@dataclass(frozen=True)
class Falling:
    """A verified direction.

    witness : the direction in words and numbers.  fall : (n, 1) or (n, K) mask of the margins that it raises.
    settled : (n,) mask of the rows whose loss it brings to its least (softmax: the own class wins over every other).
    direction : (Q, K) integers, in the user's units, the intercept last: what was verified, in full.
    """

    witness: Witness
    fall: Mask
    settled: Mask
    direction: Integers


def falling_direction(
    objective: Objective, hints: Sequence[Weights] = (), seconds: float = SECONDS
) -> Falling | None:
    """A verified direction along which the loss never increases and somewhere falls, or None if none was found.

    ``objective`` is in the user's units; ``hints`` are weights or differences of weights in those units that may point
    the right way, the most promising first.
    """
    if objective.loss.attains_minimum:
        return None
    cone = Cone(objective)
    if cone.size == 0:
        return None
    return _Search(cone, hints, seconds).run()


def separated_by_columns(objective: Objective) -> Falling | None:
    """``falling_direction`` if a look at single columns, which costs next to nothing, shows that there is one."""
    return falling_direction(objective) if separates_at_once(objective) else None


class _Search:
    """What is found so far: ``total`` (Q, K) integers, or None, and the margins that do not fall yet."""

    def __init__(self, cone: Cone, hints: Sequence[Weights], seconds: float) -> None:
        self.cone = cone
        self.left = cone.active.copy()
        self.total: Integers | None = None
        self.signs = np.zeros(cone.active.shape, dtype=np.int8)
        self.deadline = time.perf_counter() + seconds
        self.hints = [self._working(h) for h in hints]
        self.inexact: list[Floats] = []  # directions that no integer direction near them matches

    def run(self) -> Falling | None:
        self._by_columns()
        if not self.cone.p and self.total is None:
            self._take(self._intercepts())
        for _ in range(ROUNDS):
            if not self.left.any() or time.perf_counter() > self.deadline:
                break
            if not self._advance():
                break
            self._by_columns()
        if self.total is None:
            return self._approximate()
        return self._falling(self.total, self.signs > 0, "exact")

    def _advance(self) -> bool:
        for V in self._directions():
            if self._take(self._whole(V)):
                return True
            self.inexact.append(V)
        return False

    def _falling(self, U: Integers, fall: Mask, verified: str) -> Falling:
        settled = np.asarray((fall | ~self.cone.active).all(1))
        return Falling(witness(self.cone, U, fall, verified), fall, settled, U)

    def _working(self, hint: Weights) -> Floats:
        """A hint as a direction in working units."""
        cone = self.cone
        coef = hint.coef.cpu().numpy().reshape(hint.coef.shape[0], -1)[: cone.p]
        bias = hint.intercept.cpu().numpy().reshape(1, -1) + cone.shift @ coef
        V = coef * cone.scale[:, None]
        return np.vstack([V, bias]) if cone.intercept else np.asarray(V)

    # ------------------------------------------------------------------------------------------------ taking

    def _take(self, U: Integers | None) -> bool:
        """Verify a direction on the margins left and add it to what there is."""
        if U is None or not any(int(u) for u in U.reshape(-1)):
            return False
        signs = self.cone.verdicts(U, self.left)
        if (signs < 0).any() or not (signs > 0).any():
            return False
        if self.total is not None:
            # Where the old direction falls the new one may rise: enough of the old one makes up for it, and more.
            even = self._size(U) - self._size(self.total)
            for bits in (0, 4, 8, 14, 20, 30, 50, 100, 200):
                power = even + bits
                whole = self.total * (1 << max(power, 0)) + U * (1 << max(-power, 0))
                together = self.cone.verdicts(whole, self.cone.active)
                if not (together < 0).any() and (together[self.signs > 0] > 0).all():
                    break
            else:
                return False
            U, signs = whole, together
        self.total, self.signs = U, signs
        self.left = self.cone.active & (signs <= 0)
        if not (self.left & ~self.cone.equal[:, None]).any():
            self.left[:] = False
        return True

    def _size(self, U: Integers) -> int:
        """Binary order of magnitude of a direction in working units."""
        scale = np.append(self.cone.scale, np.ones(int(self.cone.intercept)))
        orders = [abs(int(u)).bit_length() + int(np.frexp(scale[j])[1]) for j, row in enumerate(U) for u in row if u]
        return max(orders)

    def _intercepts(self) -> Integers | None:
        """Directions of the intercepts alone: classes without rows fall, or all rows are of one sign."""
        cone = self.cone
        if not cone.intercept:
            return None
        if cone.codes is not None:
            have = np.bincount(cone.codes, minlength=cone.classes) > 0
            return np.array([[int(h) for h in have]], dtype=object)
        return np.array([[int(cone.sign[0])]], dtype=object)

    def _by_columns(self) -> None:
        """Add single columns that separate on their own, as long as there are any."""
        for _ in range(ROUNDS):
            if not (self.cone.p and self.left.any() and self._take(column_directions(self.cone, self.left))):
                return

    # -------------------------------------------------------------------------------------------- candidates

    def _directions(self) -> Iterator[Floats]:
        """Float directions in working units whose margins left are, to rounding, >= 0 and somewhere > 0."""
        for V in self.hints:
            top = np.abs(V).max()
            if np.isfinite(top) and top > 0 and self._promising(V / top):
                yield V / top
        count = int(self.left.sum())
        if count <= self.cone.size * max(self.cone.classes - 1, 1) and count * self.cone.size < 4e7:
            i, k = np.nonzero(self.left)
            A = self.cone.constraints(i, k)
            A = A.toarray() if self.cone.sparse else A
            right = np.where(self.cone.equal[i], 0.0, 1.0)
            flat = np.linalg.lstsq(A, right, rcond=None)[0]
            V = self.cone.unflat(flat / max(np.abs(flat).max(), 1e-300))
            if not self.cone.nonnegative and self._promising(V):
                yield V
        program = Program(self.cone, self.left, self.hints[-1] if self.hints else None, self.deadline)
        for strict in (True, False):
            found = program.solve(strict)
            if found is not None:
                yield found

    def _promising(self, V: Floats) -> bool:
        m = self.cone.margins(V)[self.left]
        return bool(m.min() >= -TIGHT and m.max() > CLEAR)

    # ----------------------------------------------------------------------------------------- whole numbers

    def _whole(self, V: Floats) -> Integers | None:
        """An integer direction in the user's units near a float one that does not raise any margin left."""
        V = V / np.abs(V).max()
        m = self.cone.margins(V)
        tight = self.left & (m <= TIGHT)
        if not tight.any():
            return self._user(V, 2**40)
        small = np.abs(V[np.abs(V) > 1e-6]).min()
        for scaled in (V, V / small):
            for largest in (1, 60, 5000):
                near = _nearest(scaled, largest)
                if near is not None:
                    U = self._from_working(near)
                    if self._holds(U):
                        return U
        return self._on_null_space(V, tight)

    def _holds(self, U: Integers) -> bool:
        signs = self.cone.verdicts(U, self.left)
        return not bool((signs < 0).any()) and bool((signs > 0).any())

    def _user(self, V: Floats, unit: int) -> Integers:
        return self._from_working([[Fraction(round(float(v) * unit), unit) for v in row] for row in V])

    def _from_working(self, V: list[list[Fraction]]) -> Integers:
        cone = self.cone
        U = [[v / Fraction(float(cone.scale[j])) for v in V[j]] for j in range(cone.p)]
        if cone.intercept:
            last = list(V[cone.p])
            for j in np.flatnonzero(cone.shift):
                last = [c - u * Fraction(float(cone.shift[j])) for c, u in zip(last, U[j])]
            U.append(last)
        return integer_direction(U)

    def _on_null_space(self, V: Floats, tight: Mask) -> Integers | None:
        """The direction moved so that every tight margin is exactly zero."""
        cone = self.cone
        places = np.argwhere(tight)
        rng = np.random.default_rng(1)
        width = cone.size * max(cone.classes - 1, 1)
        chosen = places[rng.choice(len(places), min(len(places), 2 * width + 20), replace=False)]
        U = self._user_floats(V)
        guess = (U if cone.codes is None else U[:, 1:] - U[:, :1]).T.reshape(-1)
        for _ in range(8):
            if time.perf_counter() > self.deadline:
                return None
            T = cone.constraints(chosen[:, 0], chosen[:, 1], user=True)
            used = np.flatnonzero(T.any(0))
            v = null_vector(np.unique(T[:, used], axis=0), guess[used])
            if v is None:
                return None
            whole = [Fraction(0)] * width
            for j, f in zip(used, v):
                whole[j] = f
            for j in np.setdiff1d(np.arange(width), used):
                whole[j] = Fraction(float(guess[j]))
            columns = [whole[b * cone.size : (b + 1) * cone.size] for b in range(width // cone.size)]
            if cone.codes is not None:
                columns.insert(0, [Fraction(0)] * cone.size)
            found = integer_direction([list(row) for row in zip(*columns)])
            signs = cone.verdicts(found, self.left)
            if not (signs < 0).any():
                return found if (signs > 0).any() else None
            wrong = np.argwhere(tight & (signs < 0))
            if not len(wrong):
                return None
            chosen = np.concatenate([chosen, wrong[rng.choice(len(wrong), min(len(wrong), width + 20), replace=False)]])
        return None

    def _user_floats(self, V: Floats) -> Floats:
        cone = self.cone
        U = V.copy()
        U[: cone.p] /= cone.scale[:, None]
        if cone.intercept:
            U[cone.p] -= cone.shift @ U[: cone.p]
        return U

    def _approximate(self) -> Falling | None:
        """A direction whose tight margins are zero to within the rounding of the data, where none is exactly."""
        cone = self.cone
        far = np.append(1 + np.abs(cone.shift) / cone.scale, np.ones(int(cone.intercept)))
        for V in self.inexact:
            m = cone.margins(V)
            slack = 4 * cone.eps * (cone.size + 4) * float((far @ np.abs(V)).sum())
            active = cone.active
            if (m[active] < -slack).any() or not (m[active] > CLEAR).any():
                continue
            fall = active & (m > CLEAR)
            if (active & ~fall & (m > slack)).any():
                continue
            return self._falling(self._user(V, 2**50), fall, "rounding")
        return None


def _nearest(V: Floats, largest: int) -> list[list[Fraction]] | None:
    """V in fractions of denominators up to ``largest``, or None where that is not within rounding."""
    out = []
    for row in V:
        fractions = []
        for v in row:
            f = Fraction(float(v)).limit_denominator(largest)
            if abs(float(f) - v) > 3e-7 * max(1.0, abs(v)):
                return None
            fractions.append(f)
        out.append(fractions)
    return out
