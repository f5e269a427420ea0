"""Limited-memory quasi-Newton directions on top of a preconditioner.

The two-loop recursion of L-BFGS (Nocedal & Wright 2006, algorithm 7.4) with the initial inverse Hessian left to the
caller, so that what is known of the problem (a sample's Hessian, a Gram matrix, a diagonal) does the main work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

Preconditioner = Callable[[Tensor], Tensor]


class InverseHessian:
    """An inverse-Hessian estimate from the last ``memory`` steps over a preconditioner."""

    def __init__(self, precondition: Preconditioner, memory: int = 10) -> None:
        self.precondition = precondition
        self.pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=memory)

    def update(self, step: Tensor, change: Tensor) -> None:
        """Learn from a step and the change of the gradient along it; pairs without curvature are left out."""
        curvature = float(torch.dot(step, change))
        if curvature > 1e-14 * float(step.norm()) * float(change.norm()):
            self.pairs.append((step, change, curvature))

    def times(self, gradient: Tensor) -> Tensor:
        """Estimate · gradient."""
        q = gradient.clone()
        shares = []
        for step, change, curvature in reversed(self.pairs):
            share = float(torch.dot(step, q)) / curvature
            q.sub_(change, alpha=share)
            shares.append(share)
        q = self.precondition(q)
        for (step, change, curvature), share in zip(self.pairs, reversed(shares), strict=True):
            q.add_(step, alpha=share - float(torch.dot(change, q)) / curvature)
        return q
