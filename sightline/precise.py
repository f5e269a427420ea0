"""The design matrix in twice the working precision: exact products with [X, 1] for refinement and for proofs.

Two sets of coordinates for the P = p (+ 1 with an intercept, last) weights:

scaled    columns divided by powers of two until no entry passes 1: v = d w.  Nothing is rounded, so residuals and
          gradients belong to the problem with the float64 data as given.
centred   scaled columns minus a float64 centre c, times powers of two q: the same problem, better conditioned.  Its
          rows, rounded to float64, make the preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sightline import extended
from sightline.extended import DD, UNIT, Sliced
from sightline.objective import Objective, Weights
from sightline.working import power_of_two

CACHED = 1_000_000  # elements up to which the slices are kept between products
BLOCK = 400_000  # elements of a block otherwise
FAR = 2.0**12

# Scores of some rows and a bound on their error -> dual times weights (rows, K), and a bound on the sum over the rows
# of its error (for each output).
Dual = Callable[[slice, DD, float], tuple[DD, float]]


class PreciseDesign:
    """[X, 1] of an objective with exact products.

    d : (p,) powers of two, at least the largest entry of each column (and ``least``, (p,), where given).
    c, q : (p,) centre and factor of the centred coordinates.  P : weights of one output.
    """

    def __init__(self, objective: Objective, least: Tensor | None = None) -> None:
        self.objective = objective
        design = objective.data.design
        self.n, self.p, self.P = design.n, design.p, design.p + int(objective.intercept)
        mean, low, high = design.column_statistics()
        top = torch.maximum(high.abs(), low.abs())
        self.d = power_of_two(top if least is None else torch.maximum(top, least))
        if objective.intercept:
            centre = torch.where(low == high, low, mean)
            spread = torch.maximum(high - centre, centre - low)
            self.c = centre / self.d
            self.q = self.d / power_of_two(torch.where(spread > 0, spread, self.d / 2))
        else:
            self.c, self.q = torch.zeros_like(mean), self.d / power_of_two(torch.where(top > 0, top, self.d / 2))
        # Where the centre is far from zero, for the spread, the way between the coordinates loses digits.
        self.far = bool((self.c.abs() * self.q).max() > FAR)
        self._kept: tuple[Sliced, Tensor] | None = None

    def blocks(self) -> Iterator[tuple[slice, Sliced]]:
        """(rows, [X / d, 1] sliced)."""
        if self.n * self.P <= CACHED:
            if self._kept is None:
                A = self._scaled(slice(0, self.n))
                self._kept = Sliced(A, 5 if A.numel() <= CACHED // 50 else 4 if A.numel() <= CACHED // 10 else 3), A
            yield slice(0, self.n), self._kept[0]
            return
        for rows in self._row_blocks():
            yield rows, Sliced(self._scaled(rows), 3)

    def _row_blocks(self) -> Iterator[slice]:
        step = self.n if self.n * self.P <= CACHED else max(64, BLOCK // self.P)
        for start in range(0, self.n, step):
            yield slice(start, min(start + step, self.n))

    def _scaled(self, rows: slice) -> Tensor:
        design = self.objective.data.design
        X = design.rows(rows).to_dense() / self.d
        return torch.cat([X, torch.ones_like(X[:, :1])], 1) if self.objective.intercept else X

    def centred_rows(self) -> Iterator[tuple[slice, Tensor]]:
        """(rows, [(X / d - c) q, 1] in float64): every entry within one rounding."""
        for rows in self._row_blocks():
            A = (self._kept[1] if self._kept is not None else self._scaled(rows)).clone()
            A[:, : self.p] = (A[:, : self.p] - self.c) * self.q
            yield rows, A

    def gradient(self, v: DD, dual: Dual) -> tuple[DD, float]:
        """Σ over rows of [x, 1] dual(scores), (P, K) in scaled coordinates, and a bound on the error of each entry.

        ``v`` (P, K) scaled weights; the offset is added to the scores.
        """
        total: DD | None = None
        error = 0.0
        size = float(v.hi.abs().max())
        offset = self.objective.data.offset
        for rows, A in self.blocks():
            if size > 0:
                z = A.product(v)
                slip = A.product_error(size, float(z.hi.abs().max()))
            else:
                z, slip = extended.dd(v.hi.new_zeros((A.n, v.hi.shape[1]))), 0.0
            if offset is not None:
                z = extended.add_double(z, offset[rows, None])
                slip += 2.0**-104 * float(z.hi.abs().max())
            r, wrong = dual(rows, z, slip)
            part = A.adjoint(r)
            largest = float(part.hi.abs().max())
            error += wrong + A.adjoint_error(float(r.hi.abs().max()), largest) + 2.0**-104 * largest
            total = part if total is None else extended.add(total, part)
        assert total is not None
        return total, error * (1 + 1e-9)

    def to_centred(self, g: DD, error: float) -> tuple[Tensor, Tensor]:
        """A gradient (P, K), each entry within ``error``, in centred coordinates, and the bound (P, 1) there."""
        q = self.q[:, None]
        if not self.objective.intercept:
            return g.hi * q, error * q
        if self.far:
            shift = extended.times_double(DD(g.hi[-1:], g.lo[-1:]), self.c[:, None])
            moved = extended.add(DD(g.hi[:-1], g.lo[:-1]), shift.neg()).hi
            reach = 2.0**-101 * (g.hi[:-1].abs() + shift.hi.abs()) + UNIT * moved.abs()
        else:
            plain = self.c[:, None] * g.hi[-1]
            moved = g.hi[:-1] - plain
            reach = 4 * UNIT * (moved.abs() + plain.abs())
        bound = (error * (1 + self.c.abs()[:, None]) + reach.amax(1, keepdim=True)) * q
        return torch.cat([moved * q, g.hi[-1:]]), torch.cat([bound, bound.new_full((1, 1), error)])

    def from_centred(self, delta: Tensor) -> DD:
        """A change (P, K) of centred weights in scaled coordinates; ``from_centred_error`` bounds its rounding."""
        coef = delta[: self.p] * self.q[:, None]
        if not self.objective.intercept:
            return extended.dd(coef)
        if self.far:
            last = extended.add_double(extended.dot(self.c[:, None], coef).neg(), delta[-1])
            return DD(torch.cat([coef, last.hi[None]]), torch.cat([torch.zeros_like(coef), last.lo[None]]))
        return extended.dd(torch.cat([coef, delta[-1:] - self.c @ coef]))

    def from_centred_error(self, delta: Tensor) -> Tensor:
        """Bound on the rounding of the last entry, (K,)."""
        reach = (self.c.abs() * self.q) @ delta[: self.p].abs() + delta[-1].abs()
        return (self.P + 2) * (2.0**-100 if self.far else UNIT) * reach

    def centred(self, delta: Tensor) -> Tensor:
        """The reverse of ``from_centred``, in float64, for a small change (P, K)."""
        if not self.objective.intercept:
            return delta / self.q[:, None]
        last = extended.add_double(extended.dot(self.c[:, None], delta[:-1]), delta[-1]).double()
        return torch.cat([delta[:-1] / self.q[:, None], last[None]])

    def spread_rows(self, root: Tensor) -> tuple[Tensor, Tensor]:
        """T S for a matrix S (P, m) of centred coordinates: rows of scaled weights, and a bound on its rounding."""
        if not self.objective.intercept:
            return root * self.q[:, None], torch.zeros_like(root)
        coef = root[:-1] * self.q[:, None]
        last = root[-1] - self.c @ coef
        slip = (self.P + 1) * 2.0**-52 * (root[-1].abs() + self.c.abs() @ coef.abs())
        return torch.cat([coef, last[None]]), torch.cat([torch.zeros_like(coef), slip[None]])

    def sizes(self) -> Tensor:
        """(P, 1): what makes weights of columns of different spread comparable (see ``digits.proven_digits``)."""
        spread = 1 / self.q
        return torch.cat([spread, spread.new_ones(1)])[: self.P, None]

    def scaled(self, weights: Weights) -> DD:
        """User weights as scaled weights (P, K)."""
        coef = weights.coef if weights.coef.ndim == 2 else weights.coef[:, None]
        v = coef * self.d[:, None]
        return extended.dd(torch.cat([v, weights.intercept.reshape(1, -1)]) if self.objective.intercept else v)

    def user(self, v: Tensor) -> Weights:
        """Scaled weights (P, K) as user weights of the objective's shape."""
        coef = v[: self.p] / self.d[:, None]
        intercept = v[self.p] if self.objective.intercept else torch.zeros_like(v[0])
        if self.objective.outputs is None:
            return Weights(coef[:, 0], intercept[0])
        return Weights(coef, intercept)
