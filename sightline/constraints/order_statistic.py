"""What a sample proves of a rate, whatever the distribution.

Of m rows of a population, the k-th smallest score T has at most a share p of the population strictly below it, except
with probability  P(Binomial(m, p) <= k - 1)  (Tong, Feng & Li 2018, "Neyman-Pearson classification algorithms and
NP receiver operating characteristics", Proposition 1; ties only help, as the share is strictly below).
"""

from __future__ import annotations

import math

from scipy import stats


def needed(share: float, delta: float) -> int:
    """The least number of rows with which "at most ``share`` are missed" can be had with probability 1 - delta."""
    if share >= 1:
        return 0
    if share <= 0:
        return 2**62  # none is enough
    return math.ceil(math.log(delta) / math.log1p(-share) - 1e-12)


def rank(m: int, share: float, delta: float) -> int:
    """The largest k for which at most ``share`` lie strictly below the k-th smallest of m, with probability 1 - delta;
    0 where m is too small."""
    if share >= 1:
        return m
    if share <= 0 or m < 1:
        return 0
    k = int(stats.binom.ppf(delta, m, share)) + 1
    while k > 0 and stats.binom.cdf(k - 1, m, share) > delta:
        k -= 1
    return max(k, 0)


def doubt(k: int, m: int, share: float) -> float:
    """The probability with which more than ``share`` lie strictly below the k-th smallest of m."""
    return float(stats.binom.cdf(k - 1, m, share))


def upper(successes: int, m: int, delta: float) -> float:
    """Clopper and Pearson's (1934) upper bound of a share, right with probability 1 - delta."""
    return 1.0 if successes >= m else float(stats.beta.ppf(1 - delta, successes + 1, m - successes))


def lower(successes: int, m: int, delta: float) -> float:
    """The lower bound."""
    return 0.0 if successes <= 0 else float(stats.beta.ppf(delta, successes, m - successes + 1))
