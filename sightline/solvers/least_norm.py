"""Least squares whose solution is not unique: the one with the smallest coefficients.

The columns, centred (with an intercept) and scaled, are dependent where singular values fall below the rounding of the
data (Golub & Van Loan 2013, section 5.5.8).  The problem is solved on a basis of the row space, with full rank, and the
solution is then freed of its part in the null space in the user's own units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sightline.bounds import Bound
from sightline.design_matrix import DenseDesign
from sightline.extended import UNIT
from sightline.objective import Objective, Weights
from sightline.penalties import NONE
from sightline.precise import PreciseDesign
from sightline.solvers.base import Step
from sightline.solvers.refined import refined
from sightline.working import rank_tolerance


@dataclass(frozen=True)
class RowSpace:
    """basis : (p, rank) orthonormal in centred coordinates, of falling singular value ``sizes``.
    null : the rest of an orthonormal basis, (p, p - rank), or None where that is the larger.
    complete : ``basis``, uncut, spans all p dimensions."""

    design: PreciseDesign
    basis: Tensor
    sizes: Tensor
    null: Tensor | None = None
    complete: bool = True

    @property
    def rank(self) -> int:
        """Of the (centred) columns."""
        return self.basis.shape[1]

    def cut(self, tolerance: float) -> RowSpace:
        """Without the directions whose singular value is below this share of the largest."""
        sizes = self.sizes
        rank = int((sizes > tolerance * sizes[0]).sum()) if len(sizes) and float(sizes[0]) > 0 else 0
        null = self.null
        if self.complete and self.design.p - rank <= rank:
            rest = self.basis[:, rank:]
            null = rest if null is None else torch.cat([rest, null], 1)
        return replace(self, basis=self.basis[:, :rank], sizes=sizes[:rank], null=null)

    def smallest(self, coef: Tensor) -> Tensor:
        """User coefficients (p, K) without their part in the null space."""
        design = self.design
        unit = design.d / design.q
        if self.null is not None:
            N = torch.linalg.qr(self.null / unit[:, None] * unit.min()).Q
            return coef - N @ (N.T @ coef)
        Q = torch.linalg.qr(self.basis * unit[:, None] / unit.max()).Q
        return Q @ (Q.T @ coef)


def row_space(design: PreciseDesign) -> RowSpace:
    """Singular value decomposition of the centred, scaled, weighted columns."""
    objective, p = design.objective, design.p
    weight = objective.data.weight
    if design.n > p:
        R: Tensor | None = None
        for rows, A in design.centred_rows():
            # The ones first: what is left of the columns is orthogonal to them.
            block = A.roll(1, 1) if objective.intercept else A
            if weight is not None:
                block = block * weight[rows, None].sqrt()
            R = torch.linalg.qr(block if R is None else torch.cat([R, block]), mode="r").R
        assert R is not None
        if objective.intercept:
            R = R[1:, 1:]
        _, sizes, vt = torch.linalg.svd(R, full_matrices=True)
        return RowSpace(design, vt.T.contiguous(), sizes, complete=True).cut(rank_tolerance(objective.data.design))
    A = torch.cat([block[:, :p] for _, block in design.centred_rows()])
    if objective.intercept:
        A = A - (A.mean(0) if weight is None else (weight @ A) / weight.sum())
    Q, R = torch.linalg.qr(A.T)
    u, sizes, _ = torch.linalg.svd(R)
    return RowSpace(design, Q @ u, sizes, complete=False).cut(rank_tolerance(objective.data.design))


def least_norm(objective: Objective, space: RowSpace) -> Iterator[Step]:
    """Steps to the smallest solution, whose gap is that of the problem on the row space.

    Directions in which the data are too nearly dependent for any proof are left out as well.
    """
    design = space.design
    if space.rank == 0:
        yield _constant(objective)
        return
    tolerance = rank_tolerance(objective.data.design)
    while True:
        Z = torch.cat([A[:, : design.p] @ space.basis for _, A in design.centred_rows()])
        inner = replace(objective, data=replace(objective.data, design=DenseDesign(Z)), penalty=NONE)
        problem = refined(inner)
        if problem.root.error < 1 or space.rank == 1:
            break
        tolerance *= 4
        space = space.cut(tolerance)
    step: Step | None = None
    for step in problem.steps():
        if step.bound.method == "none":
            yield replace(step, weights=objective.zeros())
    assert step is not None
    t = step.weights.coef if step.weights.coef.ndim == 2 else step.weights.coef[:, None]
    coef = space.smallest((space.basis @ t) * (design.q / design.d)[:, None])
    intercept = step.weights.intercept.reshape(-1)
    if objective.intercept:
        intercept = intercept - (design.c * design.d) @ coef
    dtype = objective.data.design.dtype
    coef, intercept = coef.to(dtype).double(), intercept.to(dtype).double()
    weights = Weights(coef[:, 0], intercept[0]) if objective.outputs is None else Weights(coef, intercept)
    # In the user's units the scores differ by rounding; a ridge too weak to be felt adds its own part, and the row
    # space without it bounds the optimum from below.
    value = objective.value(weights)
    gap = min(step.bound.gap + max(0.0, value - step.value), value)
    rank = space.rank if objective.penalty.none else None
    yield Step(weights, value, step.gradient_norm, Bound(gap, step.bound.method), None, rank)


def _constant(objective: Objective) -> Step:
    """The solution where every column is constant: the mean, if there is an intercept."""
    weights, data = objective.zeros(), objective.data
    y = data.y if data.offset is None else data.y - (data.offset if data.y.ndim == 1 else data.offset[:, None])
    slip = 0.0
    if objective.intercept:
        mean = objective.weighted(y).sum(0)
        weights = Weights(weights.coef, mean)
        slip = 0.5 * float(((data.n + 4) * UNIT * objective.weighted(y.abs()).sum(0)).square().sum())
    value = objective.value(weights)
    return Step(weights, value, 0.0, Bound(min(slip, value), "normal equations"), None, 0)
