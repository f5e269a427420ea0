"""The maximum margin of two classes, with its proof: the widest slab between them that holds no row.

    minimise ½ ‖w‖²  where  t_i (x_i·w + b) >= 1

b free, or absent.  The dual combination of an interior-point method is brought to its exact support set, and that set's
optimality conditions are solved in twice the working precision; weights and multipliers prove each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sightline.certificate import Certificate, Verdict
from sightline.data import Data
from sightline.design_matrix import as_design
from sightline.exact import Floats
from sightline.losses import Logistic
from sightline.objective import Objective
from sightline.overlap import Overlap, OverlapError, exact_overlap, overlap_of
from sightline.penalties import NONE
from sightline.separability import falling_direction
from sightline.solvers.corral import Corral, nearest
from sightline.solvers.hard_margin import Bounds, Margin, prove
from sightline.solvers.hulls import Indices, combination, make_hulls
from sightline.solvers.settled import settle

TOL = 1e-10
TOUCHING = 1e-6  # hulls this near to each other, beside the longest row, may meet


@dataclass(frozen=True)
class MaximumMargin:
    """The separating hyperplane furthest from both classes.

    coef, intercept : (p,) float64 and a number; the least of t (x·w + b) is one.
    margin : distance of the nearest rows from the hyperplane, 1 / ‖w‖, in the units of the data.
    support : (k,) numbers of the rows that hold the hyperplane, ascending.  multipliers : (k,) > 0 with
        Σ multiplier t x = w, and Σ multiplier t = 0 where there is an intercept.
    certificate : of ½ ‖w‖² (once w is divided by its least margin), by the duality gap.
    """

    coef: Floats
    intercept: float
    margin: float
    support: Indices
    multipliers: Floats
    certificate: Certificate


def maximum_margin(
    X: Any, t: Any, *, intercept: bool = True, tol: float = TOL, classes: tuple[Any, Any] = (-1, 1),
    numbers: Indices | None = None,
) -> MaximumMargin:
    """The maximum margin.

    Parameters
    ----------
    X : (n, p) array or tensor of finite numbers.
    t : (n,) signs, -1 and +1.
    intercept : whether b is free; else b = 0.
    classes : labels of the rows of sign -1 and +1, for messages.  numbers : (n,) the rows' numbers there; None for
        0, 1, ...

    Raises
    ------
    OverlapError : no hyperplane separates the classes; the message names rows of both that have a point in common.
    DataError : without an intercept and without rows.

    Source: V. Vapnik, "Estimation of dependences based on empirical data" (1982), the optimal hyperplane; K. Bennett
    and E. Bredensteiner (2000) for the dual.
    """
    rows, signs = _array(X), _array(t)
    top = float(np.abs(rows).max(initial=0.0))
    unit = float(np.ldexp(1.0, np.frexp(top)[1])) if top > 0 else 1.0
    rows = rows / unit  # exact, but where numbers are 1e-290 of the largest
    hulls = make_hulls(rows, signs, intercept)
    corral = nearest(hulls, *combination(hulls))
    distance = float(np.sqrt(corral.w @ corral.w))
    margin: Margin | None = None
    bounds = Bounds(-math.inf, math.inf, 0.0)
    found = exact_overlap(rows, signs, corral.rows, corral.a, intercept) if distance <= TOUCHING else None
    if found is None and distance > 0:
        corral, margin = settle(rows, signs, hulls, corral, intercept)
        if margin is None or not (margin.multipliers > 0).all():
            margin = _unrefined(rows, signs, corral, intercept)
        bounds = prove(rows, signs, corral.rows, margin, intercept)
    if margin is None or (distance <= TOUCHING and not bounds.least > 0):
        _refuse(rows, signs, corral, intercept, classes, numbers, found)
    assert margin is not None
    return _told(margin, bounds, corral, unit, tol)


def _told(margin: Margin, bounds: Bounds, corral: Corral, unit: float, tol: float) -> MaximumMargin:
    order = np.argsort(corral.rows, kind="stable")
    coef = margin.coef / unit
    length = math.hypot(*margin.coef.tolist())
    value, gap = bounds.value / unit**2, (bounds.value - bounds.lower) / unit**2
    proven = gap <= tol * value and math.isfinite(value)
    certificate = Certificate(
        Verdict.OPTIMAL if proven else Verdict.INACCURATE, value, max(gap, 0.0), value, tol, "duality gap"
    )
    return MaximumMargin(
        coef, margin.intercept, unit / length, corral.rows[order], (margin.multipliers / unit**2)[order], certificate
    )


def _unrefined(X: Floats, t: Floats, corral: Corral, free: bool) -> Margin:
    """Weights and multipliers from the shares alone, where the support set's equations cannot be solved."""
    w = (corral.a * t[corral.rows]) @ X[corral.rows]
    scores = X @ w
    up, down = float(scores[t > 0].min(initial=math.inf)), float(-scores[t < 0].max(initial=-math.inf))
    half = (up + down) / 2 if free else min(up, down)
    half = half if half > 0 and math.isfinite(half) else float(w @ w) / (2 if free else 1)
    half = half or 1.0
    b = (down - up) / 2 if free else 0.0
    return Margin(w / half, b / half, corral.a / half, np.zeros_like(w))


def _refuse(
    X: Floats, t: Floats, corral: Corral, free: bool, classes: tuple[Any, Any], numbers: Indices | None,
    found: Overlap | None,
) -> None:
    """Raise OverlapError, which says so if the classes are separable after all, by less than float64 can show.

    found : the overlap, where it is proven.
    """
    separable = False
    if found is None:
        data = Data(as_design(torch.from_numpy(X)), torch.from_numpy(t), None, None, classes, None)
        falling = falling_direction(Objective(data, Logistic(), NONE, free))
        separable = falling is not None and bool(falling.settled.all()) and falling.witness.verified == "exact"
        found = overlap_of(t, corral.rows, corral.a, free, "rounding")
    if numbers is not None:
        found = found.renumbered(numbers)
    if separable:
        near = float(np.sqrt(corral.w @ corral.w))
        raise OverlapError(
            f"The classes {classes[0]!r} and {classes[1]!r} can be separated, but by less than float64 weights can"
            f" hold: their hulls are within {near:.1e} of the size of the data from each other."
            " Subtract a common offset from the columns, or use LinearSVC(loss='hinge', C=...).",
            found,
        )
    raise OverlapError(
        f"{found.text(classes)} There is no maximum margin: take a soft one (LinearSVC), or LogisticRegression.", found
    )


def _array(values: Any) -> Floats:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    return np.ascontiguousarray(values, dtype=np.float64)
