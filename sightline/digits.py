"""How many decimal digits of the weights are proven right.

Everything rests on a matrix S, an approximate root of the inverse Hessian, whose error is *measured*:
S'HS = I - E with |E| <= ``error`` < 1 in the spectral norm.  Then H is regular, and for a quadratic

    w* - w = -S (I - E)⁻¹ S' g,    |w* - w|_j <= |S_j| |S'g| / (1 - error),    gap <= ½ |S'g|² / (1 - error)

with the gradient g known to twice the working precision and its rounding bounded (the approximate-inverse argument
of Rump 2010, "Verification methods", section 10, on the root instead of the inverse).  The digits are those of the
solution of the problem with the float64 data *as given*: how far rounding of the data itself moved that solution
is not the fit's to say (Filip's powers, rounded to float64, move it in the eighth digit).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.extended import UNIT

MOST = 17.0  # digits that are claimed of weights without any error


@dataclass(frozen=True)
class Root:
    """S (P, P) with S'HS = I - E, |E| <= error.  Useful where error < 1; it is inf where none was found.

    inverse : S⁻¹, nearly: it only sizes what rounding adds.
    """

    matrix: Tensor
    error: float
    inverse: Tensor

    @property
    def inflation(self) -> float:
        """1 / (1 - error): bound on |(I - E)⁻¹|."""
        return 1 / (1 - self.error) if self.error < 1 else math.inf

    def row_norms(self) -> Tensor:
        """sqrt((SS')_jj), (P,)."""
        return self.matrix.norm(dim=1)


def root_of_rows(blocks: Iterable[Tensor], again: Iterable[Tensor], *, noise: float = 4 * UNIT) -> Root:
    """The root for H = A'A by Householder QR, block of rows after block.

    blocks, again : the rows of A (m, P), twice.  noise : relative error of each of their entries.
    """
    R: Tensor | None = None
    for A in blocks:
        R = torch.linalg.qr(A if R is None else torch.cat([R, A]), mode="r").R
    assert R is not None
    size = R.shape[1]
    eye = torch.eye(size, dtype=torch.float64, device=R.device)
    if R.shape[0] < size or not bool((R.diagonal() != 0).all()):
        return Root(eye, math.inf, eye)
    S = torch.linalg.solve_triangular(R, eye, upper=True)
    if not bool(torch.isfinite(S).all()):
        return Root(eye, math.inf, eye)
    gram = torch.zeros_like(S)
    slip = 0.0
    rows = 0
    absolute = S.abs()
    for A in again:
        Q = A @ S
        gram += Q.T @ Q
        slip += float((A.abs() @ absolute).square_().sum())
        rows = max(rows, len(A))
    away = float((gram - eye).norm())
    # Entries of A, the product A S, and the sums in Q'Q are rounded.
    slip = math.sqrt(slip) * (noise + (size + 2) * UNIT)
    summed = (rows + 64) * UNIT * float(gram.diagonal().sum())
    error = away + summed + 2 * math.sqrt(1 + away) * slip + slip**2
    return Root(S, error if math.isfinite(error) else math.inf, R)


def root_of_gram(H: Tensor, terms: int, size: Tensor | None = None) -> Root:
    """The root for a Hessian that was summed from ``terms`` products in float64, by Cholesky.

    size : (P,) a_j with |rounding of H_ij| <= (terms + 8) u a_i a_j; sqrt(H_jj) by default.
    """
    scale = H.diagonal().clamp(min=0).sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    C = H / scale[:, None] / scale
    L, info = torch.linalg.cholesky_ex(C)
    eye = torch.eye(len(H), dtype=torch.float64, device=H.device)
    if int(info) or not bool(torch.isfinite(L).all()):
        return Root(eye, math.inf, eye)
    S = torch.linalg.solve_triangular(L.T, eye, upper=True)
    away = float((S.T @ C @ S - eye).norm())
    a = torch.ones_like(scale) if size is None else (size / scale).clamp(min=1.0)
    error = away + (terms + 2 * len(H) + 16) * UNIT * float((S.abs().T @ a).square().sum()) * (1 + 1e-9)
    return Root(S / scale[:, None], error if math.isfinite(error) else math.inf, L.T * scale)


def proven_digits(values: Tensor, errors: Tensor, sizes: Tensor) -> float:
    """The fewest decimal digits over the weights, -log10 of error / |value|.

    A weight that its error cannot tell from zero has no relative digits; it counts by its error against the largest
    weight, each times ``sizes``, the spread of its column.

    values : (P, K) the weights as delivered.  errors : (P, K) proven bounds.  sizes : (P, K) or (P, 1) positive.
    """
    if not bool(torch.isfinite(errors).all()):
        return 0.0
    magnitude = values.abs()
    largest = (magnitude * sizes).amax(0, keepdim=True) / sizes
    reference = torch.where(magnitude > 2 * errors, magnitude - errors, largest)
    relative = torch.where(errors > 0, errors / reference.clamp(min=1e-300), 0.0)
    worst = float(relative.max()) * (1 + 1e-9)
    return max(0.0, min(MOST, -math.log10(worst))) if worst > 0 else MOST
