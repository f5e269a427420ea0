"""The last digits of a generalised linear model: Newton steps with a gradient in twice the working precision.

Weights, scores, probabilities and the gradient are double-double; the Hessian is float64, from a factor whose error is
measured.  With the optimum w* close by, the mean Hessian between w and w* differs from the Hessian at w by at most
exp(a) - 1, where a bounds the change of any score (|l'''| <= l'': Bach 2010, proposition 1), so

    w* - w = S (I - E')⁻¹ S'(-g),   |E'| <= error + (exp(a) - 1)(1 + error)

and every bound of least squares holds (see ``digits``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sightline import extended
from sightline.digits import Root, correction, proven_digits, root_of_gram, root_of_rows
from sightline.extended import DD, UNIT
from sightline.objective import Objective, Weights
from sightline.precise import PreciseDesign

MOST_WEIGHTS = 300  # outputs · weights beyond which a factor costs too much here
MOST_ELEMENTS = 100_000  # rows · weights up to which the driver refines: some milliseconds
QR_ELEMENTS = 20_000  # rows · weights up to which the factor is Householder's
STEPS = 3
ENOUGH = 2.0**-60  # relative error of every weight at which nothing is left to gain


def refinable(objective: Objective) -> bool:
    """A logistic, softmax or Poisson loss without a penalty, of moderate size."""
    loss, weights = objective.loss, (objective.p + 1) * (objective.outputs or 1)
    return (
        loss.name in ("logistic", "softmax", "poisson")
        and not getattr(loss, "soft", False)
        and objective.penalty.none
        and weights <= MOST_WEIGHTS
        and weights * objective.n <= MOST_ELEMENTS
    )


def refine(objective: Objective, weights: Weights) -> tuple[Weights, float | None]:
    """Weights (user's units) at the optimum to the last digit of their dtype, and how many digits are proven.

    ``weights`` must be near a unique optimum; where nothing can be proven they come back as they are, with None.
    """
    design = PreciseDesign(objective)
    v = design.scaled(weights)
    if objective.outputs is not None:
        v = _sum_to_zero(v)
    root: Root | None = None
    best: tuple[DD, Tensor] | None = None
    smallest = math.inf
    for _ in range(STEPS):
        g, slip, scores = negative_gradient(design, v)
        if root is None:
            root = hessian_root(design, scores)
            if not root.error < 0.25:
                return weights, None
            radius = score_radius(design, root)
        if objective.outputs is not None:
            g = _sum_to_zero(g)
        change = correction(design, root, g, slip, radius)
        if change is None:
            break
        v = extended.add(v, change.step)
        if objective.outputs is not None:
            v = _sum_to_zero(v)
        spread, _ = change.errors(v, 1.0)
        worst = float((spread / v.hi.abs().clamp(min=1e-300)).max())
        if not worst < 0.5 * smallest:
            break
        best, smallest = (v, spread), worst
        if worst <= ENOUGH or change.done:
            break
    if best is None:
        return weights, None
    v, spread = best
    dtype = objective.data.design.dtype
    found = design.user(v.hi)
    found = Weights(found.coef.to(dtype).double(), found.intercept.to(dtype).double())
    rounded = design.scaled(found).hi
    errors = spread + extended.add_double(v.neg(), rounded).double().abs() * (1 + 4 * UNIT)
    return found, proven_digits(rounded, errors, design.sizes())


def _sum_to_zero(v: DD) -> DD:
    """(P, K) without the mean over the K outputs."""
    k = v.hi.shape[1]
    mean = extended.divide(extended.accurate_sum(v, 1), extended.dd(torch.full_like(v.hi[:, 0], float(k))))
    return extended.add(v, DD(mean.hi[:, None], mean.lo[:, None]).neg())


def negative_gradient(design: PreciseDesign, v: DD) -> tuple[DD, float, Tensor]:
    """-X'(weight · loss') in scaled coordinates (P, K), a bound on its error, and the scores (n, K)."""
    data, name = design.objective.data, design.objective.loss.name
    scores = []

    def dual(rows: slice, z: DD, slip: float) -> tuple[DD, float]:
        scores.append(z.hi)
        y = data.y[rows]
        r, wrong = _DUALS[name](z, y, slip)
        if data.weight is None:
            return r, float(wrong.sum(0).max())
        weight = data.weight[rows, None]
        r = extended.times_double(r, weight)
        return r, float((wrong * weight).sum(0).max()) + 2.0**-102 * float(r.hi.abs().sum(0).max())

    g, error = design.gradient(v, dual)
    return g, error, scores[0] if len(scores) == 1 else torch.cat(scores)


def _logistic(z: DD, y: Tensor, slip: float) -> tuple[DD, Tensor]:
    """t · probability of the wrong class: e/(1 + e) or 1/(1 + e) with e = exp(-|z|)."""
    t = y[:, None]
    margin = DD(z.hi * t, z.lo * t)
    sign = torch.where(margin.hi > 0, -1.0, 1.0)
    e = extended.exp(DD(margin.hi * sign, margin.lo * sign))
    below = extended.add_double(e, torch.ones_like(t))
    above = DD(torch.where(margin.hi > 0, e.hi, 1.0), torch.where(margin.hi > 0, e.lo, 0.0))
    p = extended.divide(above, below)
    return DD(p.hi * t, p.lo * t), p.hi * (2 * slip + 2 * extended.EXP_ERROR)


def _poisson(z: DD, y: Tensor, slip: float) -> tuple[DD, Tensor]:
    mean = extended.exp(z)
    r = extended.add_double(mean.neg(), y[:, None])
    return r, mean.hi * (2 * slip + 2 * extended.EXP_ERROR) + 2.0**-104 * y[:, None]


def _softmax(z: DD, y: Tensor, slip: float) -> tuple[DD, Tensor]:
    top = z.hi.amax(1, keepdim=True)
    e = extended.exp(extended.add_double(z, -top))
    total = extended.accurate_sum(e, 1)
    p = extended.divide(e, DD(total.hi[:, None].expand_as(e.hi), total.lo[:, None].expand_as(e.hi)))
    one = torch.zeros_like(z.hi).scatter_(1, y[:, None], 1.0)
    return extended.add_double(p.neg(), one), p.hi * (4 * slip + 4 * extended.EXP_ERROR) + 2.0**-100


_DUALS = {"logistic": _logistic, "poisson": _poisson, "softmax": _softmax}


def hessian_root(design: PreciseDesign, scores: Tensor) -> Root:
    """The root of the inverse Hessian Σ weight l'' x x' at these scores (n, K), in centred coordinates.

    Softmax: (K P, K P), with a multiple of the mean block added in the direction that moves all scores of a row
    together; gradients have no part in it.
    """
    objective = design.objective
    weight = objective.data.weight
    if objective.outputs is None:
        d = objective.loss.curvature(scores[:, 0], objective.data.y)
        d = (d if weight is None else d * weight)[:, None].sqrt()
        noise = (16 + float(scores.abs().max())) * UNIT
        if design.n * design.P <= QR_ELEMENTS:
            blocks = [A * d[rows] for rows, A in design.centred_rows()]
            return root_of_rows(blocks, blocks, noise=noise)
        H = torch.zeros((design.P, design.P), dtype=torch.float64, device=d.device)
        for rows, A in design.centred_rows():
            H += _gram(A * d[rows])
        return root_of_gram(H, design.n + math.ceil(2 * noise / UNIT))
    p = torch.softmax(scores, 1)
    k, P = p.shape[1], design.P
    H = torch.zeros((k, P, k, P), dtype=torch.float64, device=p.device)
    for rows, A in design.centred_rows():
        q = p[rows] if weight is None else p[rows] * weight[rows, None]
        for i in range(k):
            left = A.T * q[:, i]
            H[i, :, i] += (left * (1 - p[rows, i])) @ A
            for j in range(i):
                cross = (left * p[rows, j]) @ A
                H[i, :, j] -= cross
                H[j, :, i] -= cross.T
    mean = sum(H[i, :, i] for i in range(k)) / k**2
    H += mean[None, :, None, :].expand(k, P, k, P) if isinstance(mean, Tensor) else 0
    return root_of_gram(H.reshape(k * P, k * P), design.n + 64 + math.ceil(4 * float(scores.abs().max())))


def _gram(A: Tensor) -> Tensor:
    if A.device.type == "cpu":
        a = A.numpy()
        return torch.from_numpy(a.T @ a)
    return A.T @ A


def score_radius(design: PreciseDesign, root: Root) -> float:
    """The largest change of a score (softmax: of the range of a row's scores) in a direction of unit length."""
    P, k = design.P, len(root.matrix) // design.P
    worst = 0.0
    for _, A in design.centred_rows():
        for i in range(k):
            worst = max(worst, float((A @ root.matrix[i * P : (i + 1) * P]).square_().sum(1).max()))
    return math.sqrt(worst) * (1.0 if k == 1 else 2.0) * (1 + 1e-6)
