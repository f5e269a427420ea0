"""A sample of the rows: its Hessian as preconditioner, and as proof for all rows.

The sample is worked on in float32 where its range allows.  Every row's loss is convex, so the whole Hessian is at
least the sample's share of it,  A = Σ_{i in S} s_i l''_i x_i x_i' + Λ,  less what float32 may have added: products
summed over B rows are off by at most (B + 16) u of the sum of their sizes, u = 2^-24 (Higham 2002, section 3.1), so
in the scaling that gives A a diagonal of ones by at most p (B + 16) u in norm, and so much is taken off.  Two bounds
follow from A and the gradient g of all rows; with ν² = g'A⁻¹g both are about ν²/2.

self-concordance   along any line from w the second derivative falls no faster than exp(-R max_{i in S} |change of
                   score|): the bound of ``bounds`` with A in place of the Hessian.
curvature in a ball   let A hold only what curvature each row keeps while its score moves by 2ν |x_i|_{A⁻¹}.  In the
                   ball |d|_A <= 2ν the objective is then at least F + g·d + |d|²_A / 2, which is not below F on its
                   border: the minimum lies inside, at most ν²/2 below F.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sightline.bounds import max_row_norm_squared, self_concordant
from sightline.design_matrix import gram_rows
from sightline.objective import Evaluation, Objective, Weights
from sightline.solvers.factor import cholesky

UNIT = 2.0**-24  # of float32
MARGIN = 1.001  # for rounding in float64
FINE = 1e-6  # relative gap for which a proof may cost a Gram matrix of the sample more
FAR = 1e-3  # relative gap beyond which nobody asks for a proof
FURTHEST = 3.0  # drift of the scores beyond which no proof is tried


class Curved:
    """A sample's Hessian at some weights: (p + 1, p + 1), positive definite, with what is needed to prove by it.

    hessian : weighted mean over the sample's rows, and the ridge.
    """

    def __init__(self, whole: Objective, part: Objective, curvature: Tensor) -> None:
        self.whole, self.part = whole, part
        self.gram, self.allowance = curvature_gram(part, curvature)
        self.hessian = self.gram + torch.diag(part.ridge)
        self.share = part.data.total_weight / whole.data.total_weight

    @cached_property
    def shared(self) -> Tensor:
        """A, (p + 1, p + 1)."""
        taken = self.gram.diagonal() * (self.share * self.allowance)
        shared = self.gram * self.share + torch.diag(self.part.ridge - taken)
        if not self.whole.intercept:
            shared[-1, -1] = 1.0
        return shared

    @cached_property
    def size(self) -> Tensor:
        """Square roots of A's diagonal, (p + 1,)."""
        return self.shared.diagonal().clamp(min=1e-300).sqrt()

    @cached_property
    def least(self) -> float:
        """A lower bound on the least eigenvalue of A scaled to a diagonal of ones; 0 where there is none above it."""
        if not (bool((self.shared.diagonal() > 0).all()) and bool(torch.isfinite(self.shared).all())):
            return 0.0
        scaled = self.shared / self.size / self.size[:, None]
        return max(float(torch.linalg.eigvalsh(scaled)[0]) - 64 * len(scaled) * 2.0**-52, 0.0)

    @property
    def sound(self) -> bool:
        """Whether A is positive definite beyond doubt."""
        return self.least > 0

    @cached_property
    def factor(self) -> Tensor:
        """Lower Cholesky factor of A, which must be sound."""
        return cholesky(self.shared)

    def decrement(self, gradient: Tensor) -> float:
        """ν = |g| in the inverse of A."""
        return float(torch.linalg.solve_triangular(self.factor, gradient[:, None], upper=False).norm()) * MARGIN

    @cached_property
    def row_sizes(self) -> Tensor:
        """|(x_i, 1)|² in the inverse of A's diagonal for every row of the sample, (m,)."""
        return row_sizes(self.part, self.size.square())

    def row_norms(self) -> Tensor:
        """A bound on |(x_i, 1)| in the inverse of A for every row of the sample, (m,): the norm in A's diagonal over
        the least eigenvalue."""
        return (self.row_sizes * (MARGIN / self.least)).sqrt()

    def radius(self) -> float:
        """The largest |(x_i, 1)| in the inverse of A over the sample, exactly."""
        return math.sqrt(max_row_norm_squared(self.part, self.factor)) * MARGIN


class Sample:
    """The sample ``part`` of ``whole``, with its Hessian at weights near the optimum."""

    def __init__(self, whole: Objective, part: Objective, weights: Weights, scores: Tensor) -> None:
        self.whole, self.part = whole, part
        self.constant = whole.loss.self_concordance
        self._anchor(weights, scores)

    def _anchor(self, weights: Weights, scores: Tensor) -> None:
        """Compute the Hessian at ``weights``, where the sample has ``scores``."""
        self.anchor, self.scores = weights, scores
        curvature = self.part.loss.curvature(scores, self.part.data.y.to(scores.dtype))
        self.at = Curved(self.whole, self.part, curvature)
        hessian = self.at.hessian
        if self.whole.penalty.none:  # a few rows may be separable where all are not
            hessian = hessian + torch.diag(hessian.diagonal() * (1 / self.part.n))
        self.factor = cholesky(hessian)
        self._radius: float | None = None

    def solve(self, v: Tensor) -> Tensor:
        """Inverse Hessian of the sample · v."""
        return torch.cholesky_solve(v[:, None], self.factor)[:, 0]

    def gap(self, weights: Weights, now: Evaluation) -> float:
        """A proven bound on the gap of ``weights``, inf where the sample proves none."""
        return self._in_ball(weights, now) if self.constant is None else self._self_concordant(weights, now)

    def _self_concordant(self, weights: Weights, now: Evaluation) -> float:
        assert self.constant is not None
        scores, gradient = self.part.scores(weights, single=True), now.gradient.flat()
        drift = self._drift(scores, weights)
        near = 0.5 * float(gradient @ self.solve(gradient)) <= FAR * abs(now.value)
        if not (near and drift <= FURTHEST and self.at.sound):
            return math.inf
        gap, decrement = self._gap(gradient, drift)
        worth = decrement**2 <= 2 * FINE * abs(now.value) < 2 * gap  # what could be proven is not yet
        if worth and drift > 0.3:
            self._anchor(weights, scores)
            if not self.at.sound:
                return math.inf
            gap, decrement = self._gap(gradient, self._drift(scores, weights))
        if worth and gap > FINE * abs(now.value):
            self._radius = self.at.radius()
            gap, decrement = self._gap(gradient, self._drift(scores, weights))
        return gap

    def _gap(self, gradient: Tensor, drift: float) -> tuple[float, float]:
        """The bound, and the decrement in A."""
        assert self.constant is not None
        decrement = self.at.decrement(gradient)
        if self._radius is None:
            self._radius = float(self.at.row_norms().max())
        # H(w) >= exp(-drift) A: decrement and row norms grow by exp(drift / 2).
        stretch = math.exp(drift / 2)
        return self_concordant(decrement * stretch, self.constant * self._radius * stretch), decrement

    def _drift(self, scores: Tensor, weights: Weights) -> float:
        """The largest change of a score since the Hessian was computed, times the loss's constant."""
        assert self.constant is not None
        rounding = self._rounding(weights) + self._rounding(self.anchor)
        return self.constant * (float((scores - self.scores).abs().max()) + rounding)

    def _in_ball(self, weights: Weights, now: Evaluation) -> float:
        gradient, part = now.gradient.flat(), self.part
        if 0.5 * float(gradient @ self.solve(gradient)) > FAR * abs(now.value) or not self.at.sound:
            return math.inf
        guess = self.at.decrement(gradient)
        if guess**2 > 1e-4 * abs(now.value):
            return math.inf
        scores, y = part.scores(weights, single=True), part.data.y
        rounding = self._rounding(weights)
        room = 3 * guess * self.at.row_norms()
        for _ in range(3):
            # Scores and targets as float32 has them: what rounding moves them by is part of the room.
            kept = part.loss.least_curvature(scores, y.to(scores.dtype), (room + rounding).to(scores.dtype))
            curved = Curved(self.whole, part, kept)
            if not curved.sound:
                return math.inf
            decrement = curved.decrement(gradient)
            needed = 2 * decrement * curved.row_norms()
            if bool((needed <= room).all()):
                return 0.5 * decrement**2
            room = 1.25 * torch.maximum(needed, room)
        return math.inf

    def _rounding(self, weights: Weights) -> float:
        """A bound on what rounding in the sample's dtype changes of a score, X and targets rounded as well."""
        unit = UNIT if self.part.data.design.dtype == torch.float32 else 2.0**-52
        size = self.at.size
        offset, y = self.part.data.offset, self.part.data.y
        extra = float(y.abs().max()) + (0.0 if offset is None else float(offset.abs().max()))
        reach = math.sqrt(float(self.at.row_sizes.max())) * float((weights.flat() * size).norm())
        return (self.part.p + 8) * unit * (reach + abs(float(weights.intercept)) + extra)


def curvature_gram(part: Objective, curvature: Tensor) -> tuple[Tensor, float]:
    """``Objective.curvature_gram`` of a sample in its dtype, and what rounding may have changed of it, in norm, where
    its diagonal is scaled to ones."""
    single = part.data.design.dtype == torch.float32
    gram = part.curvature_gram(curvature.double(), single=single)
    if not single:
        return gram, 0.0
    return gram, len(gram) * (gram_rows(part.p) + 16) * UNIT


def row_sizes(part: Objective, squares: Tensor) -> Tensor:
    """Σ_j x_ij² / squares_j of every row of [X, 1], (m,) float64; squares : (p + 1,)."""
    p = part.p
    each = 1.0 / squares[:p]
    X = part.data.design.X
    if X.device.type == "cpu" and X.dtype == torch.float32:
        array, factors = X.numpy(), each.clamp(max=1e36).float().numpy()
        step = max(64, (1 << 16) // p)
        pieces = [np.square(array[i : i + step]) @ factors for i in range(0, len(array), step)]
        sizes = torch.from_numpy(np.concatenate(pieces)).double() * (1 + (p + 8) * UNIT)
    else:
        sizes = torch.cat([block.X.square() @ each for _, block in part.data.design.blocks()])
    return sizes + (1.0 / squares[p] if part.intercept else 0.0)
