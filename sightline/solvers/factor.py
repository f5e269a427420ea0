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
        if shift > 16 or not bool(torch.isfinite(size).all()):
            raise FloatingPointError("the Hessian holds values that are not finite")
        # First each diagonal element by its own measure; if that is not enough, all by the largest.
        least = 1e-300 if shift < 1e-6 else float(size.max().clamp(min=1e-300))
        factor, info = torch.linalg.cholesky_ex(hessian + torch.diag(size.clamp(min=least) * shift))
        shift *= 16
    return factor, sound
