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

from sightline.extended import DD, UNIT
from sightline.precise import PreciseDesign

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


@dataclass(frozen=True)
class Correction:
    """A refinement step S S'g and what bounds the error after it.

    step : (P, K) in scaled coordinates.  size : |S'g|.  gradient : |g|.
    rows : (P, K or 1) norms of the rows of S in scaled coordinates.  left : (K,) or (1,), bound on |S⁻¹ (v* - v)|
    after the step but for its rounding, which is at most ``rounded`` (P, K), or ``moved`` in the Hessian's norm.
    done : the root's error costs no more than rounding does.
    """

    step: DD
    size: float
    gradient: float
    rows: Tensor
    left: Tensor
    rounded: Tensor
    moved: float
    done: bool

    def errors(self, v: DD, total: float) -> tuple[Tensor, float]:
        """Bounds on the error of each scaled weight (P, K) and on |v - v*| in the Hessian's norm, for ``v`` after the
        step; ``total`` is the sum of row weights times curvature bounds."""
        last = 2.0**-100 * float(v.hi.abs().max())
        spread = self.rows * self.left + self.rounded + last
        return spread, float(self.left.norm()) + self.moved + 2 * last * v.hi.numel() * math.sqrt(total)


def correction(design: PreciseDesign, root: Root, gradient: DD, slip: float, radius: float = 0.0) -> Correction | None:
    """The step that the negative gradient (P, K) in scaled coordinates asks for, or None where nothing is proven.

    root : for one output, shared by all, or (K P, K P), output after output.  slip : bound on the error of each entry
    of the gradient.  radius : for a loss that is not quadratic, the largest change of a score in a direction of unit
    length.  Where the third derivative is at most the second, the mean Hessian between here and the optimum differs by
    a factor of at most exp(largest change of a score) (Bach 2010, proposition 1), which enlarges the root's error.
    """
    k = gradient.hi.shape[1]
    S, P = root.matrix, design.P
    joint = len(S) > P
    g, noise = design.to_centred(gradient, slip)
    length = float(g.norm())
    noise = noise.repeat(k, 1) if joint else noise
    g = g.T.reshape(-1, 1) if joint else g
    half = S.T @ g
    absolute, unit = S.abs(), (2 * len(S) + 8) * UNIT
    # Rounding of S'g and of S (S'g), each the usual bound for a sum of products.
    slack = (absolute.T @ (noise + unit * g.abs())).norm(dim=0)
    size, error = float(half.norm()), root.error
    if radius:
        product = radius * (size + float(slack.norm())) * root.inflation * (1 + 1e-6)
        if not product < 0.25:
            return None
        error += math.expm1(-math.log1p(-product)) * (1 + error)
    if not error < 1:
        return None
    rough = error * half.norm(dim=0)
    left = (rough + slack) * ((1 + 1e-9) / (1 - error))
    raw = S @ half
    wrong = unit * (absolute @ half.abs())
    if not joint:
        rows, off = design.spread_rows(S)
        rows = rows.abs() + off
        norms, rounded = _norms(rows)[:, None], unit * (rows @ half.abs())
        wide = wrong
    else:
        raw, wide = raw.reshape(k, P).T, wrong.reshape(k, P).T
        norms, rounded = torch.empty_like(raw), torch.empty_like(raw)
        for i in range(k):
            rows, off = design.spread_rows(S[i * P : (i + 1) * P])
            rows = rows.abs() + off
            norms[:, i], rounded[:, i] = _norms(rows), unit * (rows @ half.abs())[:, 0]
    if design.objective.intercept:
        last = design.from_centred_error(raw)
        wide[-1] += last
        rounded[-1] += last
        wrong = wide.T.reshape(-1, 1) if joint else wide
    moved = 2 * float((root.inverse.abs() @ wrong).norm())
    done = bool((rough <= slack).all())
    return Correction(design.from_centred(raw), size, length, norms, left, rounded, moved, done)


def _norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1)


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
