"""The support set checked, and where need be corrected, in twice the working precision.

Where the hulls are near to each other beside their size, float64 cannot tell which rows hold the hyperplane: w is a
small difference of long vectors.  The same active-set steps as in ``corral``, on the solutions of ``refine``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sightline.exact import Floats
from sightline.solvers.corral import Corral
from sightline.solvers.hard_margin import Margin, least_margin, refine
from sightline.solvers.hulls import Hulls

STEPS = 400
ENOUGH = 1e-13  # a least margin this near to one is taken for it


def settle(X: Floats, t: Floats, hulls: Hulls, corral: Corral, free: bool) -> tuple[Corral, Margin | None]:
    """The corral whose solution no row contradicts, or the best that was met; None where none has a solution.

    X : (n, p), t : (n,) as given.
    """
    best: tuple[Corral, Margin] | None = None
    best_least = -np.inf
    for _ in range(STEPS):
        margin = refine(X[corral.rows], t[corral.rows], hulls, corral, free)
        if margin is None:
            break
        shares = _shares(hulls, corral, margin.multipliers)
        if not (margin.multipliers > 0).all():
            smaller = _towards(hulls, corral, shares)
            if smaller is None:
                break
            corral = smaller
            continue
        corral = replace(corral, a=shares)
        least, row = least_margin(X, t, margin)
        if least > best_least:
            best, best_least = (corral, margin), least
        if least >= 1 - ENOUGH or row in corral.rows:
            break
        corral = replace(corral, rows=np.append(corral.rows, row), a=np.append(corral.a, 0.0))
    return (corral, None) if best is None else best


def _shares(hulls: Hulls, corral: Corral, multipliers: Floats) -> Floats:
    """Multipliers as shares, which add up to 1 in each group."""
    E = hulls.members[:, corral.rows]
    return multipliers / (E @ multipliers)[hulls.group[corral.rows]]


def _towards(hulls: Hulls, corral: Corral, shares: Floats) -> Corral | None:
    """The corral after as much of the way to ``shares`` as leaves none negative, without the row that ended it."""
    falling = shares <= 0
    a = corral.a
    ratio = np.full(len(a), np.inf)
    ratio[falling] = a[falling] / np.maximum(a[falling] - shares[falling], 1e-300)
    out = int(ratio.argmin())
    a = np.maximum(a + min(1.0, float(ratio[out])) * (shares - a), 0.0)
    keep = np.arange(len(a)) != out
    rows, a = corral.rows[keep], a[keep]
    E = hulls.members[:, rows]
    if not (E @ a > 0).all():
        return None
    return replace(corral, rows=rows, a=a / (E @ a)[hulls.group[rows]])
