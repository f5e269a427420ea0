"""A guarantee for new data: with probability 1 - delta over the held-out rows, the rates hold.

Weights come from one part of the rows, the threshold from the other, by order statistics of its scores (the
Neyman-Pearson umbrella algorithm, see ``order_statistic``), so nothing is assumed but that new rows are drawn as the
held-out ones were.  Rates that are no share of one population (precision, accuracy, differences) are tested at
thresholds that were set before the held-out rows were seen, each by Clopper and Pearson's bounds, delta shared out
between them (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sightline.constraints.budgets import Array, Coded, Sums, measured, sums
from sightline.constraints.order_statistic import doubt, lower, needed, rank, upper
from sightline.constraints.rates import Constraint

THRESHOLDS = 20  # tried for rates that are no share of one population


@dataclass(frozen=True)
class Proof:
    """What the held-out rows say of one constraint.

    constraint : as asked.  rate : on the held-out rows at the threshold; NaN where there is no threshold.
    rows : of its population that were held out.  least : as many are needed.  errors : as many of them may be on the
    wrong side.  doubt : probability of breaking the constraint on new data, at most.
    """

    constraint: str
    rate: float
    rows: int
    least: int
    errors: int | None
    doubt: float


@dataclass(frozen=True)
class Guarantee:
    """Whether the rates hold on new data.

    kind : 'held out' (proven), 'out of fold' (not proven) or 'none'.  threshold : the score above which the second
    class is predicted, before it is put into the intercept; None where there is none.
    delta : probability with which it may be broken.  proofs : one a constraint.  reason : why there is none.
    ceiling : what is out of reach at the thresholds tried, with the same confidence; '' where nothing is.
    """

    kind: str
    delta: float
    threshold: float | None
    proofs: tuple[Proof, ...]
    reason: str = ""
    ceiling: str = ""

    @property
    def holds(self) -> bool:
        """It is a proof."""
        return self.kind == "held out"


@dataclass(frozen=True)
class _Share:
    """A constraint that the share of predicted positives among ``rows`` is at least, or at most, ``level``."""

    rows: Array
    at_least: bool
    level: float

    @property
    def missed(self) -> float:
        """The share that may be on the wrong side."""
        return 1 - self.level if self.at_least else self.level


def guarantee(
    constraints: tuple[Constraint, ...], before: tuple[Coded, Array], held: tuple[Coded, Array], delta: float,
) -> Guarantee:
    """The threshold that the held-out rows prove.

    before, held : (labels, scores (n,)) of the training part, by which thresholds to try are set, and of the held-out.
    """
    rows, scores = held
    each = delta / len(constraints)
    low, high = -math.inf, math.inf  # thresholds in [low, high) are proven
    shares: dict[int, _Share] = {}
    short: list[str] = []
    proofs: list[Proof] = []
    for k, constraint in enumerate(constraints):
        share = _as_share(constraint, rows)
        if share is None:
            least = _least(constraint, each / THRESHOLDS)
            proofs.append(Proof(str(constraint), math.nan, len(scores), least, None, each))
            if len(scores) < least:
                short.append(_too_few(constraint, least, len(scores), each))
            continue
        shares[k] = share
        m, least = int(share.rows.sum()), needed(share.missed, each)
        place = rank(m, share.missed, each)
        proofs.append(
            Proof(str(constraint), math.nan, m, least, place - 1 if place else None, doubt(place, m, share.missed))
        )
        if m < least:
            short.append(_too_few(constraint, least, m, each))
            continue
        ordered = np.sort(scores[share.rows])
        if share.at_least:
            high = min(high, float(ordered[place - 1]))
        else:
            low = max(low, float(ordered[len(ordered) - place]))
    if short:
        return Guarantee("none", delta, None, tuple(proofs), " ".join(short))
    others = [c for k, c in enumerate(constraints) if k not in shares]
    if not low < high:
        reason = (
            f"no threshold keeps all constraints with probability {1 - delta:g}: they need one below {high:.6g} and one"
            f" of at least {low:.6g}."
        )
        return Guarantee("none", delta, None, tuple(proofs), reason)
    ceiling = ""
    if others:
        tried = thresholds(before[1], low, high)
        passing = [t for t in tried if all(_proven(c, rows, scores > t, each / THRESHOLDS) for c in others)]
        ceiling = " ".join(filter(None, (_ceiling(c, rows, scores, tried, each / THRESHOLDS, delta) for c in others)))
        if not passing:
            names = " and ".join(str(c) for c in others)
            reason = (
                f"{names} cannot be proven at any of the {len(tried)} thresholds tried on {len(scores)} held-out rows."
            )
            return Guarantee("none", delta, None, tuple(proofs), reason, ceiling)
        threshold = min(passing, key=abs)
    else:
        threshold = _chosen(before, scores, low, high)
    final = tuple(
        Proof(p.constraint, measured(c, rows, scores > threshold), p.rows, p.least, p.errors, p.doubt)
        for p, c in zip(proofs, constraints)
    )
    return Guarantee("held out", delta, threshold, final, "", ceiling)


def _as_share(constraint: Constraint, rows: Coded) -> _Share | None:
    """The constraint as a share of one population; None where it is none."""
    rate = constraint.rate
    if rate.second is not None:
        return None
    s: Sums = sums(rate.first, rows)
    sign = np.sign(s.gain[s.gain != 0])
    if s.size is not None or not (sign == sign[0]).all():
        return None
    of = s.gain != 0
    at_least = constraint.sense == ">="
    if sign[0] > 0:
        return _Share(of, at_least, constraint.level)
    return _Share(of, not at_least, 1 - constraint.level)


def _least(constraint: Constraint, delta: float) -> int:
    """Rows without which not even a flawless sample would do."""
    if constraint.rate.second is not None:
        return 2
    missed = 1 - constraint.level if constraint.sense == ">=" else constraint.level
    return needed(missed, delta)


def _too_few(constraint: Constraint, least: int, have: int, delta: float) -> str:
    if least >= 2**62:
        return f"{constraint} leaves no room for a single error, which no number of rows can prove."
    return (
        f"{constraint} with probability {1 - delta:g} needs at least {least} held-out rows to count on, and there are"
        f" {have}."
    )


def thresholds(scores: Array, low: float, high: float) -> Array:
    """Thresholds to try, set by the training part's scores: its quantiles, and zero."""
    inside = np.quantile(scores, np.arange(1, THRESHOLDS) / THRESHOLDS)
    tried = np.unique(np.concatenate([inside, [0.0]]))
    return tried[(tried >= low) & (tried < high)]


def _chosen(before: tuple[Coded, Array], scores: Array, low: float, high: float) -> float:
    """Of the thresholds in [low, high) the one that is right most often on the training part.

    All of them are proven, so the choice may depend on anything; midway between held-out scores rounding is harmless.
    """
    labels, seen = before
    tried = [0.0, *np.quantile(seen, np.linspace(0, 1, 201))]
    if math.isfinite(high):
        below = scores[scores < high]
        tried.append(0.5 * (high + (float(below.max()) if len(below) else high - max(abs(high), 1.0) * 1e-6)))
    if math.isfinite(low):
        above = scores[scores > low]
        tried.append(0.5 * (low + (float(above.min()) if len(above) else low + max(abs(low), 1.0) * 1e-6)))
        tried.append(low)
    inside = [float(t) for t in tried if low <= t < high] or [math.nextafter(high, -math.inf)]
    right = [float(((seen > t) == labels.positive).mean()) for t in inside]
    return inside[int(np.argmax(right))]


def _bounds(constraint: Constraint, rows: Coded, h: Array, delta: float) -> tuple[float, float]:
    """Lower and upper bound of the rate at predictions h, each right with probability 1 - delta."""
    rate = constraint.rate
    if rate.second is None:
        right, m = _counts(sums(rate.first, rows), h)
        return lower(right, m, delta), upper(right, m, delta)
    a, b = (_counts(sums(r, rows), h) for r in (rate.first, rate.second))
    low = lower(*a, delta / 2) - upper(*b, delta / 2)
    high = upper(*a, delta / 2) - lower(*b, delta / 2)
    return low, high


def _counts(s: Sums, h: Array) -> tuple[int, int]:
    under = s.fixed + (0.0 if s.size is None else float(s.size @ h))
    return round(float(s.gain @ h) + s.constant), round(under)


def _proven(constraint: Constraint, rows: Coded, h: Array, delta: float) -> bool:
    low, high = _bounds(constraint, rows, h, delta / 2 if constraint.rate.absolute else delta)
    if constraint.rate.absolute:
        return max(-low, high) <= constraint.level
    return low >= constraint.level if constraint.sense == ">=" else high <= constraint.level


def _ceiling(
    constraint: Constraint, rows: Coded, scores: Array, tried: Array, each: float, delta: float
) -> str:
    """A sentence on what is out of reach: from which share of selected rows on no threshold tried can do it."""
    if constraint.rate.second is not None or constraint.sense != ">=" or not len(tried):
        return ""
    reach = [(float((scores > t).mean()), _bounds(constraint, rows, scores > t, each)[1]) for t in sorted(tried)]
    out = [share for share, most in reach if most < constraint.level]
    if not out:
        return ""
    best = max(most for share, most in reach if most < constraint.level)
    can = [share for share, most in reach if most >= constraint.level]
    where = f"that selects more than {100 * max(can):.0f} % of the rows " if can and max(can) < min(out) else ""
    if can and not where:
        return ""
    return (
        f"{constraint} is out of reach on new data at every threshold tried {where}(probability {1 - delta:g}):"
        f" it is at most {best:.3f} there."
    )
