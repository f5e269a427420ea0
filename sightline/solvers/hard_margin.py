"""From a support set to the weights of the maximum margin in twice the working precision, and what proves them.

The optimality conditions of the support set are solved by iterative refinement: residuals in double-double from the
data as they were given, corrections by the QR factorisation of the working rows.  The proof needs nothing of how the
numbers were found: weights divided by a lower bound of their least margin are feasible, and any multipliers >= 0 whose
two classes balance bound ½‖w‖² from below by (Σα)² / 2‖Σ α t x‖².
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from sightline.exact import Floats
from sightline.extended import DD, Sliced, accurate_sum, add, add_double, dd, divide, multiply, two_sum
from sightline.solvers.corral import Corral, Factor
from sightline.solvers.hulls import Hulls, Indices

ROUNDS = 60  # each multiplies the error by the squared condition number times 1e-16
CHUNK = 4096  # rows handled in double-double at a time
SLICES = 5


@dataclass(frozen=True)
class Margin:
    """Weights at which the support set's margins are one, rounded to float64.

    coef : (p,).  intercept : number.  multipliers : (k,) of the support rows, so that coef = Σ multiplier t x.
    coef_rest, intercept_rest : what rounding left out of them.
    """

    coef: Floats
    intercept: float
    multipliers: Floats
    coef_rest: Floats
    intercept_rest: float = 0.0


@dataclass(frozen=True)
class Bounds:
    """What is proven of weights and multipliers.

    least : lower bound of the least margin t (x·w + b).  value : upper bound of ½‖w‖² of the weights divided by it.
    lower : no feasible weights have a smaller ½‖w‖².
    """

    least: float
    value: float
    lower: float


def refine(X: Floats, t: Floats, hulls: Hulls, corral: Corral, free: bool) -> Margin | None:
    """The solution of the corral's optimality conditions, or None where they have none with λ > 0.

    X : (k, p) the corral's rows as they were given, ``t`` (k,) their signs.
    """
    Z, E = hulls.Z[corral.rows], hulls.members[:, corral.rows]
    factor = Factor(Z, E)
    if not factor.sound:
        return None
    unit = _unit(X)
    S = Sliced(torch.from_numpy(X / unit) * torch.from_numpy(t)[:, None], SLICES)
    members = torch.from_numpy(E)
    a = dd(torch.from_numpy(corral.a.copy()))
    lam = dd(torch.zeros(len(E), dtype=torch.float64))
    lam_sum, best, stale, solution = lam, math.inf, 0, None
    for _ in range(ROUNDS):
        sums = _group_sums(a, members)
        w = S.adjoint(_column(a))
        m = _flat(S.product(w))
        slack = add(m, _spread(lam_sum, members).neg())  # z·w - λ of its group
        # What is common to a group is λ itself.
        shift = _group_means(slack, members)
        lam_sum = add(lam_sum, shift)
        slack = add(slack, _spread(shift, members).neg())
        size = float(slack.hi.abs().max())
        norm = float((w.hi * w.hi).sum())
        stale = 0 if size < 0.7 * best else stale + 1
        if size < best:
            best, solution = size, (a, lam_sum, w)
        if size <= 2.0**-90 * norm or stale > 3:
            break
        miss = add_double(sums.neg(), torch.ones_like(sums.hi)).double().numpy()
        ratio = (hulls.scale / unit) ** 2  # the working rows are in other units than S
        step, _ = factor.solve(-slack.double().numpy() / ratio, miss)
        a = add_double(a, torch.from_numpy(step))
    if solution is None:
        return None
    a, lam_sum, w = solution
    total = lam_sum.double().sum()
    if not float(total) > 0:
        return None
    # λ: of z·w.  With an intercept t (x·w + b) is λ_+ + b in one class and λ_- - b in the other.
    if free:
        whole = add(_item(lam_sum, 0), _item(lam_sum, 1))
        factor_dd = _over(2.0, whole)
        b = multiply(add(_item(lam_sum, 1), _item(lam_sum, 0).neg()), _over(1.0, whole))
    else:
        factor_dd = _over(1.0, _item(lam_sum, 0))
        b = dd(torch.zeros((), dtype=torch.float64))
    coef = multiply(_flat(w), factor_dd).scaled(1 / unit)
    multipliers = multiply(a, factor_dd).double().numpy() / unit**2
    return Margin(coef.hi.numpy(), float(b.hi), multipliers, coef.lo.numpy(), float(b.lo))


def prove(X: Floats, t: Floats, rows: Indices, margin: Margin, free: bool) -> Bounds:
    """Bounds for weights on all rows X (n, p), with the multipliers of ``rows``."""
    least, _ = least_margin(X, t, replace(margin, coef_rest=np.zeros_like(margin.coef), intercept_rest=0.0))
    w = torch.from_numpy(margin.coef)
    size = float(w.abs().max())
    unit = _unit(margin.coef)
    squared = float(((w / unit) ** 2).sum()) * (1 + len(w) * 2.0**-52) if size > 0 else 0.0
    value = 0.5 * squared * (1 + 2.0**-50) * unit**2 / least**2 * (1 + 2.0**-50) if least > 0 else math.inf
    return Bounds(least, value, _lower(X[rows], t[rows], margin.multipliers, free))


def least_margin(X: Floats, t: Floats, margin: Margin) -> tuple[float, int]:
    """A proven lower bound of min t (x·w + b), as good as double-double arithmetic makes it, and the row it is of."""
    coef, intercept = margin.coef, margin.intercept
    scores = X @ coef
    m = t * (scores + intercept)
    size = np.abs(X) @ np.abs(coef) + abs(intercept)
    error = (X.shape[1] + 4) * 2.0**-52 * size + 1e-300
    if not np.isfinite(size).all():
        return -math.inf, 0
    near = np.flatnonzero(m - error < (m + error).min())
    far = m - error
    far[near] = np.inf
    least, lowest_row = float(far.min()), int(far.argmin())
    v = DD(torch.from_numpy(coef)[:, None], torch.from_numpy(margin.coef_rest)[:, None])
    b = DD(*(torch.tensor(part, dtype=torch.float64) for part in (intercept, margin.intercept_rest)))
    for start in range(0, len(near), CHUNK):
        rows = near[start : start + CHUNK]
        unit = _unit(X[rows])
        S = Sliced(torch.from_numpy(X[rows] / unit), SLICES)
        product = _flat(S.product(v)).scaled(unit)
        top = float(np.abs(coef).max(initial=0.0))
        off = S.product_error(top, float(product.hi.abs().max()) / unit) * unit
        sign = torch.from_numpy(t[rows])
        exact = add(product, b)
        values = DD(exact.hi * sign, exact.lo * sign)
        off += 2.0**-100 * float(values.hi.abs().max())
        lowest = torch.nextafter(values.double() - off, torch.tensor(-math.inf, dtype=torch.float64))
        if float(lowest.min()) < least:
            least, lowest_row = float(lowest.min()), int(rows[int(lowest.argmin())])
    return least, lowest_row


def _lower(X: Floats, t: Floats, multipliers: Floats, free: bool) -> float:
    """(Σα)² / 2‖Σ α t x‖², rounded down, for multipliers made to balance."""
    if not (multipliers >= 0).all() or not np.isfinite(multipliers).all() or not multipliers.any():
        return 0.0
    unit, top = _unit(X), _unit(multipliers)
    alpha = multipliers / top
    extra = np.zeros_like(alpha)
    if free:
        # The exact excess of one class goes to the largest multiplier of the other, whose sum is then the same.
        excess = sum((Fraction(float(v)) * int(s) for v, s in zip(alpha, t)), Fraction(0))
        light = np.flatnonzero(t < 0) if excess > 0 else np.flatnonzero(t > 0)
        if not len(light):
            return 0.0
        extra[light[int(alpha[light].argmax())]] = float(abs(excess))
    S = Sliced(torch.from_numpy(X / unit) * torch.from_numpy(t)[:, None], SLICES)
    pair = two_sum(torch.from_numpy(alpha), torch.from_numpy(extra))
    z = _flat(S.adjoint(_column(pair))).hi.numpy()
    # The excess itself is rounded to float64: by 2^-53 of it.
    off = S.adjoint_error(1.0, float(np.abs(z).max())) + 2.0**-52 * float(extra.sum()) + 2.0**-52 * np.abs(z).max()
    length = float(np.sqrt(((np.abs(z) + off) ** 2).sum())) * (1 + (len(z) + 4) * 2.0**-52)
    total = math.fsum(alpha) * (1 - 2.0**-52)
    ratio = total / length / unit
    return 0.5 * ratio * ratio * (1 - 2.0**-49) if math.isfinite(ratio) else 0.0


def _unit(v: Floats) -> float:
    """A power of two no entry is above."""
    top = float(np.abs(v).max(initial=0.0))
    return float(np.ldexp(1.0, np.frexp(top)[1])) if top > 0 else 1.0


def _column(v: DD) -> DD:
    return DD(v.hi[:, None], v.lo[:, None])


def _flat(v: DD) -> DD:
    return DD(v.hi[:, 0], v.lo[:, 0])


def _item(v: DD, i: int) -> DD:
    return DD(v.hi[i], v.lo[i])


def _group_sums(v: DD, members: Tensor) -> DD:
    return accurate_sum(DD(v.hi * members, v.lo * members), dim=1)


def _group_means(v: DD, members: Tensor) -> DD:
    return multiply(_group_sums(v, members), dd(1.0 / members.sum(1)))


def _spread(v: DD, members: Tensor) -> DD:
    """Each group's number, for each of its rows."""
    group = members.argmax(0)
    return DD(v.hi[group], v.lo[group])


def _over(a: float, b: DD) -> DD:
    return divide(dd(torch.full_like(b.hi, a)), b)
