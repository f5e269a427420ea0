"""The problem in working coordinates: columns centred and scaled, null directions removed.

Solvers see well-scaled numbers; the user sees coefficients in their own units.  Scales are powers of two, so scaling
rounds nothing; the penalty carries them as factors and stays what the user asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from sightline.design_matrix import DenseDesign, Design, SparseDesign
from sightline.objective import Objective, Weights

COPY_ELEMENTS = 4_000_000  # designs up to this size are standardised in a copy (32 MB); larger ones only in need
SAMPLE_ROWS = 1024  # most rows by which a larger design is judged
LARGEST_OFFSET = 1e3  # |mean| / spread of a column beyond which a large design is copied after all
EPS = 2.0**-52
GRAM_COLUMNS = 3000  # beyond so many columns the rank is not examined


@dataclass(frozen=True)
class Coordinates:
    """The way between the user's coordinates and working ones.

    user column = shift + scale · column;  coefficients = (basis · (working coefficients / stretch)) / scale.
    shift, scale : (p,) or None for none.  basis : (p, rank) orthonormal in the scaled coordinates, or None;
    stretch : (rank,) sizes of the columns' projections on it, so that working columns are about orthonormal.
    """

    shift: Tensor | None = None
    scale: Tensor | None = None
    basis: Tensor | None = None
    stretch: Tensor | None = None

    def to_user(self, weights: Weights) -> Weights:
        """Weights in the user's units; the smallest of all that give the same scores."""
        coef, intercept = weights.coef, weights.intercept
        if self.basis is not None:
            coef = self._over(coef, self.stretch)
            coef = self.basis @ coef
        coef = self._over(coef, self.scale)
        if self.basis is not None and self.basis.shape[0] > self.basis.shape[1]:
            coef = self._smallest(coef)
        if self.shift is not None:
            intercept = intercept - self.shift @ coef
        return Weights(coef, intercept)

    def to_working(self, weights: Weights) -> Weights:
        """Working weights with the scores of the given user weights."""
        coef, intercept = weights.coef, weights.intercept
        if self.shift is not None:
            intercept = self._moved(intercept, coef)
        if self.scale is not None:
            coef = coef * (self.scale if coef.ndim == 1 else self.scale[:, None])
        if self.basis is not None:
            coef = self.basis.T @ coef
        if self.stretch is not None:
            coef = coef * (self.stretch if coef.ndim == 1 else self.stretch[:, None])
        return Weights(coef, intercept)

    def _moved(self, intercept: Tensor, coef: Tensor) -> Tensor:
        """intercept + shift · coef; where the shifts are far larger than the columns' spread, in twice the precision,
        so that the working weights have the very scores of the user's."""
        assert self.shift is not None and self.scale is not None
        if not bool((self.shift.abs() > LARGEST_OFFSET * self.scale).any()):
            return intercept + self.shift @ coef
        from sightline.extended import add_double, dot

        shift = self.shift if coef.ndim == 1 else self.shift[:, None].expand(coef.shape)
        return add_double(dot(shift, coef), intercept).double()

    def size(self, weights: Weights) -> float:
        """A bound on the sum of the sizes of the terms that make up a score of the user's weights, about the columns'
        centres; 0 where the spreads are not known."""
        if self.scale is None:
            return 0.0
        coef = weights.coef if weights.coef.ndim == 2 else weights.coef[:, None]
        return float((self.scale @ coef.abs()).max())

    @staticmethod
    def _over(coef: Tensor, sizes: Tensor | None) -> Tensor:
        """Coefficients, (p,) or (p, K), each over its size."""
        if sizes is None:
            return coef
        return coef / (sizes if coef.ndim == 1 else sizes[:, None])

    def _smallest(self, coef: Tensor) -> Tensor:
        """``coef`` without its part in the null space, in the user's units."""
        null, kept = self._null
        return null @ (null.T @ coef) if kept else coef - null @ (null.T @ coef)

    @cached_property
    def _null(self) -> tuple[Tensor, bool]:
        """Orthonormal columns of the null space, in the user's units; or of what is kept, where that is smaller."""
        assert self.basis is not None
        p, rank = self.basis.shape
        scale = torch.ones_like(self.basis[:, 0]) if self.scale is None else self.scale
        low, high = scale.min(), scale.max()
        if p - rank > rank and float(high) < 1e6 * float(low):
            return torch.linalg.qr(self.basis * (scale / high)[:, None]).Q, True
        complete = torch.linalg.qr(self.basis, mode="complete").Q[:, rank:]
        return torch.linalg.qr(complete / (scale / low)[:, None]).Q, False


@dataclass(frozen=True)
class Working:
    """``objective`` in working coordinates, and the way back."""

    objective: Objective
    coordinates: Coordinates = Coordinates()

    def to_user(self, weights: Weights) -> Weights:
        """Weights in the user's units; the smallest of all that give the same scores."""
        return self.coordinates.to_user(weights)

    def to_working(self, weights: Weights) -> Weights:
        """Working weights with the scores of the given user weights."""
        return self.coordinates.to_working(weights)


def standardised(objective: Objective) -> Working:
    """Centre (where there is an intercept) and scale the columns, where that is cheap or needed."""
    design = objective.data.design
    if isinstance(design, SparseDesign):
        return _scaled_sparse(objective, design)
    if design.n * design.p > COPY_ELEMENTS:
        sample_rows = min(SAMPLE_ROWS, max(64, COPY_ELEMENTS // (4 * design.p)))
        shift, spread = _shift_and_spread(design.rows(slice(0, None, 1 + design.n // sample_rows)), objective.intercept)
        far = (shift.abs() > LARGEST_OFFSET * spread) & (spread > 0)
        extreme = (spread > 1e60) | ((spread < 1e-60) & (spread > 0))
        if not bool((far | extreme).any()):
            return Working(objective)
    shift, spread = _shift_and_spread(design, objective.intercept)
    scale = power_of_two(spread)
    X = design.to_dense()
    copied = X - shift if objective.intercept else X
    copied = copied / scale
    data = replace(objective.data, design=DenseDesign(copied))
    working = replace(objective, data=data, penalty=objective.penalty.scaled(scale))
    return Working(working, Coordinates(shift if objective.intercept else None, scale))


def _shift_and_spread(design: DenseDesign, centre: bool) -> tuple[Tensor, Tensor]:
    """Column means (zero unless ``centre``) and the largest distance from them, each (p,)."""
    mean, low, high = design.column_statistics()
    if not centre:
        return torch.zeros_like(mean), torch.maximum(high.abs(), low.abs())
    shift = torch.where(low == high, low, mean)
    return shift, torch.maximum(high - shift, shift - low)


def _scaled_sparse(objective: Objective, design: SparseDesign) -> Working:
    _, low, high = design.column_statistics()
    spread = torch.maximum(high.abs(), low.abs())
    positive = spread[spread > 0]
    if len(positive) == 0 or (float(positive.max()) < 1e8 and float(positive.min()) > 1e-8):
        return Working(objective)
    scale = power_of_two(spread)
    import scipy.sparse

    copied = design.X.astype("float64") @ scipy.sparse.diags_array((1 / scale).numpy())
    data = replace(objective.data, design=SparseDesign(copied))
    return Working(replace(objective, data=data, penalty=objective.penalty.scaled(scale)), Coordinates(None, scale))


def power_of_two(spread: Tensor) -> Tensor:
    """The nearest lower power of two; 1 for zero."""
    mantissa, exponent = torch.frexp(spread)
    return torch.where(spread > 0, torch.ldexp(torch.ones_like(spread), exponent), 1.0)


def without_null_space(working: Working) -> tuple[Working, int | None]:
    """The problem on a basis of the row space where the (working) columns are dependent or nearly so, and the rank.

    Only for problems without any penalty.  The rank is None where it was not examined (too many columns).
    """
    objective = working.objective
    design = objective.data.design
    if min(design.n, design.p) > GRAM_COLUMNS or (design.sparse and design.p > GRAM_COLUMNS):
        return working, None
    if design.p < design.n:
        null = _clear_null_space(objective)
        if null is not None and null.shape[1] == 0:
            return working, design.p
        if null is not None and null.shape[1] < design.p:
            basis = torch.linalg.qr(null, mode="complete").Q[:, null.shape[1] :].contiguous()
            return _on_basis(working, basis, None), basis.shape[1]
    X = design.to_dense()
    if objective.intercept:
        X = X - X.mean(0)
    _, sizes, vt = torch.linalg.svd(_triangle(X), full_matrices=False)
    rank = int((sizes > rank_tolerance(design) * sizes[0]).sum()) if len(sizes) and float(sizes[0]) > 0 else 0
    basis = vt[: max(rank, 1)].T.contiguous()
    stretch = power_of_two(sizes[: max(rank, 1)] / design.n**0.5)
    return _on_basis(working, basis, stretch), rank


def _on_basis(working: Working, basis: Tensor, stretch: Tensor | None) -> Working:
    """The problem in the coordinates of a basis."""
    objective = working.objective
    reduced = objective.data.design.scores(basis)
    data = replace(objective.data, design=DenseDesign(reduced if stretch is None else reduced / stretch))
    return Working(replace(objective, data=data), replace(working.coordinates, basis=basis, stretch=stretch))


def _clear_null_space(objective: Objective) -> Tensor | None:
    """Orthonormal null space of the (centred) columns, (p, k), read from their Gram matrix; None where it cannot be
    told from that: its eigenvalues must be either clearly zero or far from it."""
    gram, mean = centred_gram(objective)
    square = gram.diagonal()
    live = square > 64 * EPS * (square + mean.square())
    root = torch.where(live, square, 1.0).sqrt()
    correlation = torch.where(live & live[:, None], gram / root[:, None] / root, 0.0)
    values = torch.linalg.eigvalsh(correlation)
    top, p = float(values[-1]), len(values)
    zero = values < 16 * p * EPS * top
    if top <= 0 or bool((values[~zero] <= (1e-6 if bool(zero.any()) else 1e-9) * top).any()):
        return None
    if not bool(zero.any()):
        return correlation[:, :0]
    return torch.linalg.qr(torch.linalg.eigh(correlation).eigenvectors[:, zero] / root[:, None]).Q


def _triangle(X: Tensor) -> Tensor:
    """A matrix with the singular values and right singular vectors of X, small where X is tall."""
    return torch.linalg.qr(X, mode="r").R if X.shape[0] > 2 * X.shape[1] else X


def rank_tolerance(design: Design) -> float:
    """Singular values below this share of the largest are zero: the rounding of the data itself, and of centring and
    factoring many rows."""
    return 4 * torch.finfo(design.dtype).eps * max(min(design.n, design.p), 4 * design.n**0.5)


def centred_gram(objective: Objective) -> tuple[Tensor, Tensor]:
    """X'X / n about the column means where there is an intercept, and these means (else zero)."""
    design = objective.data.design
    gram = design.gram() / design.n
    if not objective.intercept:
        return gram, torch.zeros_like(gram[0])
    mean = design.adjoint(torch.full((design.n,), 1.0 / design.n, dtype=torch.float64, device=design.device))
    return gram - mean[:, None] * mean, mean
