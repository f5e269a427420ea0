"""The objective on a sample of its rows."""

from __future__ import annotations

from dataclasses import replace

import torch

from sightline.design_matrix import DenseDesign
from sightline.objective import Objective


def sampled(objective: Objective, m: int) -> Objective:
    """The objective on m rows, one from each of m equal stretches, the same at every call."""
    n = objective.n
    device = objective.data.design.device
    generator = torch.Generator().manual_seed(m)
    place = (torch.arange(m) + torch.rand(m, generator=generator, dtype=torch.float64)) * (n / m)
    index = place.long().clamp(max=n - 1).to(device)
    data = objective.data
    rows = data.design.rows(index)
    part = replace(
        data,
        design=DenseDesign(rows.to_dense()),
        y=data.y[index],
        weight=None if data.weight is None else data.weight[index],
        offset=None if data.offset is None else data.offset[index],
    )
    return replace(objective, data=part)
