"""Where the objective of a problem without a minimum tends to, along a direction in which it falls."""

from __future__ import annotations

from dataclasses import replace

import torch

from sightline.objective import Objective, Weights
from sightline.separability import Falling


def remaining(objective: Objective, falling: Falling) -> tuple[Objective, float] | None:
    """The problem of the rows that the direction does not settle and their share of the weight; None if there are
    none.  The infimum of the whole is ``share`` times that of this problem, or more."""
    keep = torch.from_numpy(~falling.settled)
    if not bool(keep.any()):
        return None
    data = objective.data
    keep = keep.to(data.design.device)
    part = replace(
        data,
        design=data.design.rows(keep),
        y=data.y[keep],
        weight=None if data.weight is None else data.weight[keep],
        offset=None if data.offset is None else data.offset[keep],
    )
    share = part.total_weight / data.total_weight
    penalty = objective.penalty
    scaled = replace(penalty, l1=penalty.l1 / share, l2=penalty.l2 / share)
    return replace(objective, data=part, penalty=scaled), share


def infimum_bound(objective: Objective, falling: Falling, start: Weights, tol: float, seconds: float) -> float:
    """A proven lower bound on the infimum of the objective (user's units)."""
    from sightline.driver import solve

    rest = remaining(objective, falling)
    if rest is None:
        return 0.0
    certificate = solve(rest[0], tol=tol, start=start, time_limit=seconds, existence=False).certificate
    return max(0.0, rest[1] * certificate.lower_bound)
