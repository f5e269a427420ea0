"""Cross-entropy with a share of each class in each row: votes, smoothed labels.

It is the sum over classes of the share times the cross-entropy of that class, so the same problem has one row for each
class of a row, weighted by its share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

FAR = 60.0  # a score at which softmax is one-hot in float64


@dataclass(frozen=True)
class Shares:
    """q : (n, K) shares of all rows, each row's sum is 1.  factor : the loss over its weighted mean."""

    q: Tensor
    factor: float

    @property
    def labels(self) -> Tensor:
        """The class with the largest share, (n,)."""
        return self.q.argmax(1)


def soft_cross_entropy(
    function: Callable[[Tensor, Tensor], Tensor], y: Tensor, shape: tuple[int, ...], which: Tensor
) -> Shares | None:
    """The shares where the derivative of ``function`` in the scores is s (softmax(z) - q), the same s for all rows.

    which : row number of each row of the function.
    """
    m, outputs = shape

    def slope(z: Tensor) -> Tensor:
        leaf = z.clone().requires_grad_()
        with torch.enable_grad():
            (made,) = torch.autograd.grad(function(leaf, y), leaf)
        return made.double()

    corners = []
    for k in (0, 1):
        z = torch.zeros(m, outputs, dtype=torch.float64)
        z[:, k] = FAR
        corners.append(slope(z))
    s = (corners[0] - corners[1])[:, :1]
    if not bool((s > 0).all()) or float(s.max() - s.min()) > 1e-6 * float(s.max()):
        return None
    first = torch.zeros(m, outputs, dtype=torch.float64)
    first[:, 0] = 1.0
    q = first - corners[0] / s
    if bool((q < -1e-9).any()) or float((q.sum(1) - 1).abs().max()) > 1e-6:
        return None
    z = 2 * torch.randn(m, outputs, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    if float((slope(z) - s * (torch.softmax(z, 1) - q)).abs().max()) > 1e-7 * float(s.max()):
        return None
    n = int(which.max()) + 1
    table = torch.zeros(n, outputs, dtype=torch.float64)
    table[which] = q.clamp(min=0)
    return Shares(table, float(s.sum()))


def expanded(shares: Shares, X: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """(X, labels, weights) with a row for each class that has a share in a row."""
    q = shares.q if weight is None else shares.q * weight[:, None]
    rows, classes = (q > 0).nonzero(as_tuple=True)
    return X[rows], classes, q[rows, classes]
