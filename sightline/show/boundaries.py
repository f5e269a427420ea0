"""Where a linear model draws its lines: boundaries between classes, and fitted lines, as points to join."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.objective import Objective, Weights
from sightline.show.picture import PictureError

Polyline = list[list[float]]
CURVE = 161  # points of a curve


@dataclass(frozen=True)
class Slice:
    """The columns that are drawn, those left held at their means.

    drawn : their numbers, one or two.  held : (p,) means, zero at the drawn ones.  names : of the drawn columns.
    ones : the last column is the bias: nothing but ones.
    """

    drawn: tuple[int, ...]
    held: Tensor
    names: tuple[str, ...]
    ones: bool

    @classmethod
    def of(cls, objective: Objective, columns: Sequence[str | int] | None = None) -> Slice:
        """The columns of a problem; with more than two say which ``columns``, by name or number."""
        X = objective.data.design.to_dense().double().cpu()
        ones = has_ones(objective)
        p = X.shape[1] - int(ones)
        known = objective.data.columns
        if columns is None:
            if p > 2:
                raise PictureError(
                    f"this picture has room for two columns and the model has {p}: say which, columns=(0, 1);"
                    " the others are held at their means."
                )
            columns = range(p)
        found = []
        for c in columns:
            if isinstance(c, str):
                if known is None or c not in known:
                    raise PictureError(f"there is no column {c!r}; the columns are {list(known or range(p))}.")
                found.append(known.index(c))
            elif not 0 <= c < p:
                raise PictureError(f"there is no column {c}; the model has {p}, numbered from 0.")
            else:
                found.append(int(c))
        if len(found) not in (1, 2) or len(set(found)) != len(found):
            raise PictureError(f"columns={tuple(columns)}; give one or two different ones.")
        held = X.mean(0)
        held[found] = 0.0
        plain = ("x",) if p == 1 else tuple(f"x{'₁₂₃₄₅₆₇₈₉'[c]}" if c < 9 else f"x[{c}]" for c in found)
        names = tuple(str(known[c]) for c in found) if known else plain
        return cls(tuple(found), held, names, ones)

    def reduced(self, weights: Weights) -> tuple[Tensor, Tensor]:
        """Slopes (K, 1 or 2) and offsets (K,) of the scores in the drawn columns; two rows for a binary model."""
        coef = weights.coef.cpu() if weights.coef.ndim == 2 else weights.coef.cpu()[:, None]
        offset = weights.intercept.cpu().reshape(-1) + self.held @ coef
        slopes = coef[list(self.drawn)].T
        if len(slopes) == 1:
            return torch.cat([torch.zeros_like(slopes), slopes]), torch.cat([torch.zeros_like(offset), offset])
        return slopes, offset

    def points(self, objective: Objective) -> Tensor:
        """(n, 1 or 2) drawn columns of the rows."""
        return objective.data.design.to_dense().double().cpu()[:, list(self.drawn)]


def has_ones(objective: Objective) -> bool:
    """Whether the bias is the coefficient of a last column of ones."""
    if objective.intercept or objective.p < 2 or objective.data.design.sparse:
        return False
    X = objective.data.design.to_dense()
    return bool((X[:, -1] == 1).all())


def boundary(
    slopes: Tensor, offsets: Tensor, box: tuple[float, float, float, float], level: float = 0.0
) -> list[Polyline]:
    """Straight pieces inside the box where the two highest scores are equal (or differ by ``level``), for slopes
    (K, 2) and offsets (K,).

    Between each two classes j < k the line z_j = z_k is cut to the part of the box where no other class is higher.
    """
    left, right, bottom, top = box
    found: list[Polyline] = []
    K = len(slopes)
    for j in range(K):
        for k in range(j + 1, K):
            a, c = slopes[k] - slopes[j], float(offsets[k] - offsets[j]) - level
            size = float(a.norm())
            if not size > 0 or not math.isfinite(c):
                continue
            a, c = a / size, c / size
            point, along = -c * a, torch.stack([-a[1], a[0]])
            others = [i for i in range(K) if i not in (j, k)]
            # Each constraint is  rate * t + have >= 0  along the line.
            limits = [(float(along[0]), float(point[0]) - left), (-float(along[0]), right - float(point[0]))]
            limits += [(float(along[1]), float(point[1]) - bottom), (-float(along[1]), top - float(point[1]))]
            for i in others:
                s = slopes[j] - slopes[i]
                limits.append((float(s @ along), float(s @ point) + float(offsets[j] - offsets[i])))
            low, high = -math.inf, math.inf
            for rate, have in limits:
                if rate > 0:
                    low = max(low, -have / rate)
                elif rate < 0:
                    high = min(high, -have / rate)
                elif have < 0:
                    low, high = 1.0, 0.0
            if low < high and math.isfinite(low) and math.isfinite(high):
                found.append([(point + t * along).tolist() for t in (low, high)])
    return found


def crossing(slopes: Tensor, offsets: Tensor) -> float | None:
    """Where a binary model of one column changes sides; None where it never does."""
    w, b = float(slopes[1, 0] - slopes[0, 0]), float(offsets[1] - offsets[0])
    return -b / w if w != 0 and math.isfinite(b / w) else None


def curve(slopes: Tensor, offsets: Tensor, left: float, right: float, link: str) -> Polyline:
    """What a model of one column predicts from left to right; ``link`` 'sigmoid', 'exp' or 'score'."""
    x = torch.linspace(left, right, CURVE if link != "score" else 2, dtype=torch.float64)
    if link == "sigmoid":  # steep curves need points where they rise
        at, w = crossing(slopes, offsets), abs(float(slopes[1, 0] - slopes[0, 0]))
        if at is not None and w > 0:
            near = at + torch.linspace(-8, 8, 41, dtype=torch.float64) / w
            x = torch.cat([x, near[(near > left) & (near < right)]]).sort().values
    z = (slopes[1, 0] - slopes[0, 0]) * x + (offsets[1] - offsets[0])
    y = torch.sigmoid(z) if link == "sigmoid" else z.exp() if link == "exp" else z
    return torch.stack([x, y], 1).tolist()
