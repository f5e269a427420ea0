"""Problems without a minimum: what the objective tends to, and weights that come as close to it as floats can.

Along a separating direction the loss of the settled rows tends to zero and nothing else changes, so the infimum is
that of the other rows alone.  Their optimum, moved far enough along the direction, is what is delivered.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sightline.bounds import EPS, relative_scale
from sightline.certificate import Certificate, Verdict
from sightline.cone import Cone
from sightline.objective import Objective, Weights
from sightline.separability import Falling
from sightline.trace import Trace

if TYPE_CHECKING:
    from sightline.run import Solution

MARGINS = (40.0, 25.0, 15.0)  # least margin of the settled rows: the largest that rounding lets gain is taken


@dataclass(frozen=True)
class Limit:
    """weights : in the user's units, near the infimum.  value : objective there.  lower : proven bound on the
    infimum.  solution : the driver's for the remaining rows, None where no row remains."""

    weights: Weights
    value: float
    lower: float
    solution: Solution | None


def remaining(objective: Objective, falling: Falling) -> tuple[Objective, float, Tensor | None] | None:
    """The problem of the rows that the direction does not settle, their share of the weight, and the classes that
    remain (None for all); None if no row remains.  The infimum of the whole is ``share`` times that of this one."""
    keep = torch.from_numpy(~falling.settled)
    if not bool(keep.any()):
        return None
    data = objective.data
    y = data.y.cpu()[keep]
    known, classes = data.classes, None
    if objective.loss.name == "softmax" and known is not None:
        # A class without rows here from which all others are settled has no part in the limit.
        live = torch.from_numpy(~falling.fall[keep.numpy()]).any(0)
        live[y.unique()] = True
        if not bool(live.all()):
            classes = live.nonzero()[:, 0]
            y = (live.cumsum(0) - 1)[y]
            known = tuple(known[int(k)] for k in classes)
    keep = keep.to(data.design.device)
    part = replace(
        data,
        design=data.design.rows(keep),
        y=y.to(data.y.device),
        weight=None if data.weight is None else data.weight[keep],
        offset=None if data.offset is None else data.offset[keep],
        classes=known,
    )
    share = part.total_weight / data.total_weight
    penalty = replace(objective.penalty, l1=objective.penalty.l1 / share, l2=objective.penalty.l2 / share)
    return replace(objective, data=part, penalty=penalty), share, classes


def limit_fit(
    objective: Objective, falling: Falling, start: Weights | None, solve: Callable[..., Solution]
) -> Limit:
    """Weights near the infimum and a proven bound on it; ``solve`` is the driver's, without the search for
    directions, and starts where it is told."""
    weights = objective.zeros()
    lower: float = 0.0
    solution: Solution | None = None
    rest = remaining(objective, falling)
    if rest is not None:
        part, share, classes = rest
        begin = start if start is None or classes is None else _of_classes(start, classes)
        solution = solve(part, start=begin)
        lower = max(0.0, share * solution.certificate.lower_bound)
        weights = solution.weights if classes is None else _to_classes(solution.weights, classes, weights)
    best, value = weights, objective.value(weights)
    for trial in [*_moved(objective, falling, weights), *([] if start is None else [start])]:
        now = objective.value(trial)
        if now < value:
            best, value = trial, now
    return Limit(best, value, lower, solution)


def solution_without_minimum(
    objective: Objective, falling: Falling, start: Weights | None,
    solve: Callable[..., Solution], trace: Trace, begun: float, tol: float,
) -> Solution:
    """What the driver gives for a problem without a minimum; ``trace`` holds what was tried before."""
    from sightline.run import Solution

    limit = limit_fit(objective, falling, start, solve)
    gap = max(limit.value - limit.lower, 0.0) + 4 * EPS * abs(limit.value)
    scale = relative_scale(objective, limit.value, objective.data.design.dtype)
    certificate = Certificate(
        Verdict.NO_MINIMUM, limit.value, gap, scale, tol, "optimum of the overlapping rows", None, falling.witness
    )
    trace.append(limit.value, gap, math.nan, time.perf_counter() - begun, limit.weights)
    if limit.solution is None:
        return Solution(limit.weights, certificate, trace, "none needed: every row is separated", len(trace) - 1)
    steps = len(trace) - 1 + limit.solution.n_iter
    return Solution(limit.weights, certificate, trace, f"{limit.solution.solver}, on the rows that overlap", steps)


def _of_classes(weights: Weights, classes: Tensor) -> Weights:
    return Weights(weights.coef[:, classes.to(weights.coef.device)], weights.intercept[classes.to(weights.coef.device)])


def _to_classes(weights: Weights, classes: Tensor, zeros: Weights) -> Weights:
    coef, intercept = zeros.coef.clone(), zeros.intercept.clone()
    index = classes.to(coef.device)
    coef[:, index], intercept[index] = weights.coef, weights.intercept
    return Weights(coef, intercept)


def _moved(objective: Objective, falling: Falling, weights: Weights) -> list[Weights]:
    """Weights moved along the direction until every margin that falls is at least ``MARGINS``, in the data's dtype."""
    witness = falling.witness
    assert witness.coef is not None and witness.intercept is not None
    cone = Cone(objective)
    like = weights.coef
    shape = (len(like), -1) if like.ndim == 2 else (-1,)
    coef = torch.tensor(witness.coef, dtype=torch.float64, device=like.device).T.reshape(shape)
    intercept = torch.tensor(witness.intercept, dtype=torch.float64, device=like.device)
    intercept = intercept.reshape(weights.intercept.shape)

    def margins(w: Weights) -> Any:
        U = w.coef.cpu().numpy().reshape(len(w.coef), -1)[: cone.p] * cone.scale[:, None]
        b = w.intercept.cpu().numpy().reshape(1, -1) + cone.shift @ (U / cone.scale[:, None])
        return cone.margins(np.vstack([U, b]) if cone.intercept else U)[falling.fall]

    rate, have = margins(Weights(coef, intercept)), margins(weights)
    if not len(rate) or not (rate > 0).all():
        return []
    dtype = objective.data.design.dtype
    out = []
    for margin in MARGINS:
        far = float((np.maximum(margin - have, 0.0) / rate).max())
        moved = Weights(weights.coef + far * coef, weights.intercept + far * intercept)
        out.append(Weights(moved.coef.to(dtype).double(), moved.intercept.to(dtype).double()))
    return out
