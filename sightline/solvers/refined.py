"""Least squares in twice the working precision: Householder QR, then refinement with double-double residuals.

The iteration is Björck's ("Iterative refinement of linear least squares solutions", BIT 7, 1967) in its semi-normal
form: with the gradient g = A'(b - A v) formed from double-double residuals and v itself kept in double-double, each
correction S S'g multiplies the error by about κ(A) · 2^-53, down to twice the working precision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline import extended
from sightline.bounds import Bound
from sightline.digits import Root, correction, proven_digits, root_of_rows
from sightline.extended import DD, UNIT
from sightline.objective import Objective, Weights
from sightline.precise import CACHED, PreciseDesign
from sightline.solvers.base import Step
from sightline.working import rank_tolerance

MOST_STEPS = 12
SETTLED = 1e-6  # share of the value that a step may take off it, to be the last
ENOUGH = 2.0**-62  # relative error of every weight at which refinement has nothing left to give


@dataclass(frozen=True)
class _State:
    """Weights ``v``, the value there (but for ``unsure``) times the total weight, |S'g| of the last step, and what
    bounds the error: of each weight, and in the Hessian's norm."""

    v: DD
    value: float
    size: float
    spread: Tensor
    bound: float
    unsure: float


@dataclass(frozen=True)
class Refined:
    """One least-squares problem, ready to be refined where ``root.error`` < 1; else its rank is in doubt."""

    design: PreciseDesign
    root: Root
    strengths: DD  # (P, 1): penalty of the scaled weights, times the total weight
    total: float

    def doubtful(self) -> bool:
        """Whether the columns may be dependent to the rounding of the data."""
        root, design = self.root, self.design
        if root.error >= 1:
            return True
        condition = float(root.matrix.norm() * root.inverse.norm())
        return condition * rank_tolerance(design.objective.data.design) > 1

    def steps(self) -> Iterator[Step]:
        """The problem at zero weights, then its solution with the proven gap and digits."""
        design, root = self.design, self.root
        k = self._y(slice(0, 1)).shape[1]
        v = extended.dd(torch.zeros((design.P, k), dtype=torch.float64, device=design.d.device))
        last = math.inf
        found: _State | None = None
        for number in range(MOST_STEPS):
            g, slip, value = self._gradient(v)
            change = correction(design, root, g, slip)
            assert change is not None
            size = change.size
            if number == 0:
                yield Step(design.user(v.hi), value / self.total, change.gradient / self.total)
            elif not size < 0.5 * last:
                break
            v, last = extended.add(v, change.step), size
            spread, bound = change.errors(v, self.total)
            if found is not None and not bound < found.bound:
                break
            # The value is known to the rounding of the value before the step: the step must be small.
            unsure = (design.n + 8) * UNIT * value
            found = _State(v, max(0.0, value - 0.5 * size**2), size, spread, bound, unsure)
            settled = size**2 <= SETTLED * value
            if settled and (change.done or bool((spread <= ENOUGH * v.hi.abs()).all())):
                break
        assert found is not None
        yield self._finished(found)

    def _finished(self, found: _State) -> Step:
        """The last step: weights rounded to what is delivered, with everything that this costs."""
        design = self.design
        dtype = design.objective.data.design.dtype
        weights = design.user(found.v.hi)
        if dtype != torch.float64:
            weights = Weights(weights.coef.to(dtype).double(), weights.intercept.to(dtype).double())
        rounded = design.scaled(weights).hi
        rounding = extended.add_double(found.v.neg(), rounded).double()
        errors = found.spread + rounding.abs() * (1 + 4 * UNIT)
        digits = proven_digits(rounded, errors, design.sizes())
        # ½ |w - w*|²_H with what the rounding adds to the error of v; the value grows by the same quadratic.
        added = float((self.root.inverse @ design.centred(rounding)).norm()) * (1 + self.root.error) * 1.01
        value = found.value + 0.5 * added**2
        gap = (min(0.5 * (found.bound + added) ** 2, value) + found.unsure) / self.total
        bound = Bound(gap, "normal equations")
        return Step(weights, value / self.total, found.size / self.total, bound, digits)

    def _gradient(self, v: DD) -> tuple[DD, float, float]:
        """A'W(b - A v) - penalty in scaled coordinates (P, K), a bound on its error, and the objective · weight."""
        data = self.design.objective.data
        value = 0.0

        def dual(rows: slice, z: DD, slip: float) -> tuple[DD, float]:
            nonlocal value
            y = self._y(rows)
            r = extended.add_double(z.neg(), y)
            wrong = slip + 2.0**-104 * float(z.hi.abs().max() + y.abs().max())
            if data.weight is None:
                value += 0.5 * float(r.hi.square().sum())
                return r, wrong * len(y)
            weight = data.weight[rows, None]
            value += 0.5 * float((weight * r.hi.square()).sum())
            product = extended.times_double(r, weight)
            return product, wrong * float(weight.sum()) + 2.0**-102 * float(product.hi.abs().sum(0).max())

        g, error = self.design.gradient(v, dual)
        if self.design.objective.penalty.l2 > 0:
            pull = extended.multiply(self.strengths, v)
            value += 0.5 * float((pull.hi * v.hi).sum())
            g = extended.add(g, pull.neg())
            error += 2.0**-100 * float(pull.hi.abs().max())
        return g, error, value

    def _y(self, rows: slice) -> Tensor:
        y = self.design.objective.data.y[rows]
        return y if y.ndim == 2 else y[:, None]


def refined(objective: Objective) -> Refined:
    """Coordinates and the QR root of a squared loss with an L2 penalty or none."""
    data, penalty = objective.data, objective.penalty
    weight = data.weight
    summed = extended.dd(torch.tensor(float(data.n), dtype=torch.float64)) if weight is None else (
        extended.accurate_sum(extended.dd(weight))
    )
    total = float(summed.double())
    like = torch.ones(objective.p, dtype=torch.float64, device=data.design.device)
    strengths = penalty.l2_strengths(like) * like
    design = PreciseDesign(objective, strengths.sqrt() if penalty.l2 > 0 else None)
    scaled = extended.dd(torch.zeros((design.P, 1), dtype=torch.float64, device=like.device))
    if penalty.l2 > 0:
        each = extended.dd(strengths / design.d / design.d)
        each = extended.multiply(each, DD(like * summed.hi.to(like.device), like * summed.lo.to(like.device)))
        scaled.hi[: design.p, 0], scaled.lo[: design.p, 0] = each.hi, each.lo

    def rows() -> Iterator[Tensor]:
        for part, A in design.centred_rows():
            yield A if weight is None else A * weight[part, None].sqrt()
        if penalty.l2 > 0:
            pull = torch.zeros((design.p, design.P), dtype=torch.float64, device=like.device)
            pull.diagonal().copy_((scaled.hi[: design.p, 0] * design.q.square()).sqrt())
            yield pull

    if design.n * design.P <= CACHED:
        kept = list(rows())
        root = root_of_rows(kept, kept)
    else:
        root = root_of_rows(rows(), rows())
    return Refined(design, root, scaled, total)
