"""What rounding may have changed of a value: scores of the delivered weights in twice the working precision."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.extended import DD, accurate_sum, add, two_product
from sightline.objective import Objective, Weights


def accurate_scores(objective: Objective, weights: Weights) -> Tensor:
    """X w + b + offset, (n,) or (n, K), each correctly rounded, or nearly, whatever cancels in it.

    For dense designs; takes some forty passes over X for each output.
    """
    X = objective.data.design.to_dense()
    coef = weights.coef if weights.coef.ndim == 2 else weights.coef[:, None]
    constant = weights.intercept.reshape(-1)
    columns = []
    for k in range(coef.shape[1]):
        total = accurate_sum(two_product(X, coef[:, k].expand(X.shape)), dim=1)
        for part in (constant[k].expand(len(X)), objective.data.offset):
            if part is not None:
                total = add(total, DD(part, torch.zeros_like(part)))
        columns.append(total.double())
    return columns[0] if weights.coef.ndim == 1 else torch.stack(columns, 1)


def largest_terms(objective: Objective, weights: Weights) -> float:
    """A bound on the sum of the sizes of the terms of a score."""
    design = objective.data.design
    _, low, high = design.column_statistics()
    top = torch.maximum(low.abs(), high.abs())
    coef = weights.coef if weights.coef.ndim == 2 else weights.coef[:, None]
    return float((top @ coef.abs()).max())
