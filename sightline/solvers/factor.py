"""Cholesky factors of matrices that may be singular to rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.bounds import EPS


def cholesky(hessian: Tensor) -> Tensor:
    """Lower Cholesky factor; where the matrix is singular to rounding, of it plus the least multiple of its diagonal
    that makes it regular."""
    return checked_cholesky(hessian)[0]


def checked_cholesky(hessian: Tensor) -> tuple[Tensor, bool]:
    """``cholesky``, and whether the matrix is clear of singularity, so that what is proven of its factor is proven of
    the matrix: nothing was added, and no pivot is within rounding of zero beside its diagonal element."""
    factor, info = torch.linalg.cholesky_ex(hessian)
    pivots, size = factor.diagonal(), hessian.diagonal()
    sound = not int(info) and bool((pivots.square() > 64 * len(hessian) * EPS * size).all())
    shift = EPS
    while int(info) or not bool(torch.isfinite(factor.diagonal()).all()):
        lifted = hessian + torch.diag(hessian.diagonal().clamp(min=1e-300) * shift)
        factor, info = torch.linalg.cholesky_ex(lifted)
        shift *= 16
        if shift > 1:
            raise FloatingPointError("the Hessian holds values that are not finite")
    return factor, sound
