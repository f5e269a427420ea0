"""The convex problem: weighted mean loss + penalty over data, at given weights.

    F(w, b) = Σ s_i loss(x_i·w + b + offset_i, y_i) + penalty(w),   s_i = weight_i / Σ weight

Value, gradient and dual point come from one pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from sightline.data import Data
from sightline.design_matrix import SparseDesign
from sightline.losses import Loss
from sightline.penalties import NONE, Penalty, as_penalty
from sightline.threads import each


@dataclass(frozen=True)
class Weights:
    """Coefficients (p,) with intercept () for one output, (p, K) with (K,) for K; float64."""

    coef: Tensor
    intercept: Tensor

    def flat(self) -> Tensor:
        """One vector, output after output, the intercept last in each: (p + 1,) or (K (p + 1),)."""
        if self.coef.ndim == 1:
            return torch.cat([self.coef, self.intercept.reshape(1)])
        return torch.cat([self.coef, self.intercept[None]]).T.reshape(-1)

    def rounded(self) -> Weights:
        """Weights that float32 holds exactly, so that what is proven of them is proven of the delivered ones."""
        return Weights(self.coef.float().double(), self.intercept.float().double())

    def unflat(self, vector: Tensor) -> Weights:
        """Weights of this shape from such a vector."""
        if self.coef.ndim == 1:
            return Weights(vector[:-1], vector[-1])
        table = vector.reshape(self.coef.shape[1], -1)
        return Weights(table[:, :-1].T, table[:, -1])


@dataclass(frozen=True)
class Evaluation:
    """The objective at some weights.

    value : loss + penalty.  loss : the weighted mean loss alone.
    scores : (n,) or (n, K), offset included.
    dual : derivative of the loss in the scores, shape of the scores, without the row weights.
    gradient : of the loss and the L2 part, in the form of Weights (intercept gradient 0 where there is none).
    loss_gradient : of the loss alone, coefficients only: X'(s·dual).
    """

    value: float
    loss: float
    scores: Tensor
    dual: Tensor
    gradient: Weights
    loss_gradient: Tensor


@dataclass(frozen=True)
class Objective:
    """Loss + penalty over data.  ``intercept`` says whether b may move; without it b stays 0."""

    data: Data
    loss: Loss
    penalty: Penalty = NONE
    intercept: bool = True

    @property
    def n(self) -> int:
        """Rows."""
        return self.data.n

    @property
    def p(self) -> int:
        """Columns."""
        return self.data.design.p

    @property
    def outputs(self) -> int | None:
        """None for one score a row, else K."""
        return self.data.outputs

    @cached_property
    def row_weights(self) -> Tensor | float:
        """s: weights that sum to one, (n,), or the number 1/n."""
        weight = self.data.weight
        return 1.0 / self.data.n if weight is None else weight / weight.sum()

    def weighted(self, v: Tensor) -> Tensor:
        """s·v for a (n,) or (n, K) v, in its dtype."""
        s = self.row_weights
        if not isinstance(s, Tensor):
            return v * s
        s = s.to(v.dtype)
        return v * s if v.ndim == 1 else v * s[:, None]

    def mean(self, v: Tensor) -> float:
        """Σ s_i v_i for v (n,)."""
        s = self.row_weights
        return float(v.sum(dtype=torch.float64)) * s if not isinstance(s, Tensor) else float(torch.dot(s, v.double()))

    @cached_property
    def ridge(self) -> Tensor:
        """L2 strength of each coefficient and, last, of the intercept: (p + 1,), zero there."""
        ridge = torch.zeros(self.p + 1, dtype=torch.float64, device=self.data.design.device)
        if self.penalty.l2:
            ridge[:-1] = self.penalty.l2_strengths(ridge[:-1])
        return ridge

    @cached_property
    def null_value(self) -> float:
        """Loss of the best, or nearly best, model without coefficients: the scale of the objective."""
        y = self.data.y
        if self.loss.targets in ("binary", "classes") and self.data.offset is None:
            y = y[:1]  # every row loses the same at score zero
            z = torch.zeros((1,) if self.outputs is None else (1, self.outputs), dtype=torch.float64, device=y.device)
            return float(self.loss.value(z, y))
        shape = y.shape if self.outputs is None else (self.n, self.outputs)
        z = torch.zeros(shape, dtype=torch.float64, device=self.data.design.device)
        if self.loss.targets == "real" and self.intercept:
            z = z + self.weighted(y).sum(0)
        elif self.loss.targets == "counts" and self.intercept:
            z = z + self.weighted(y).sum(0).clamp(min=1e-300).log()
        return self.mean(self.loss.value(self._shifted(z), y))

    @cached_property
    def rounding_value(self) -> float:
        """Loss of residuals as small as the rounding of the target: no model of a real target is told from a perfect
        one below it.  0 for classes and counts."""
        y = self.data.y
        if self.loss.targets != "real":
            return 0.0
        return self.mean(self.loss.value(y + 8 * torch.finfo(torch.float64).eps * y.abs().max(), y))

    @cached_property
    def column_norms(self) -> Tensor:
        """sqrt(Σ_i s_i x_ij²) of each column, (p,)."""
        total = torch.zeros(self.p, dtype=torch.float64, device=self.data.design.device)
        s = self.weighted(torch.ones(self.n, dtype=torch.float64, device=total.device))
        for rows, block in self.data.design.blocks():
            weight = s[rows]
            if isinstance(block, SparseDesign):
                total += torch.from_numpy(block.X.astype("float64").power(2).T @ weight.numpy())
            else:
                total += weight @ block.X.square()
        return total.sqrt()

    def zeros(self) -> Weights:
        """All weights zero."""
        coef = torch.zeros((self.p, *self._k), dtype=torch.float64, device=self.data.design.device)
        return Weights(coef, coef.new_zeros(self._k))

    @property
    def _k(self) -> tuple[int, ...]:
        return () if self.outputs is None else (self.outputs,)

    def flat_gradient(self, gradient: Tensor) -> Weights:
        """The form of Weights for a gradient over [X, 1], or over X where there is no intercept."""
        if self.intercept:
            return Weights(gradient[:-1], gradient[-1])
        return Weights(gradient, gradient.new_zeros(()))

    def _shifted(self, z: Tensor, rows: slice | None = None) -> Tensor:
        offset = self.data.offset
        if offset is None:
            return z
        part = offset if rows is None else offset[rows]
        return z + (part if z.ndim == 1 else part[:, None])

    def scores(self, weights: Weights, single: bool = False) -> Tensor:
        """X w + b + offset; with ``single`` in the dtype of X."""
        dtype = self.data.design.dtype if single else torch.float64
        return self._shifted(self.data.design.scores(weights.coef.to(dtype)) + weights.intercept.to(dtype))

    def value(self, weights: Weights, scores: Tensor | None = None) -> float:
        """F alone; from given scores where they are known."""
        z = self.scores(weights) if scores is None else scores
        return self.mean(self.loss.value(z, self.data.y)) + self.penalty.value(weights.coef)

    def evaluate(self, weights: Weights, keep_rows: bool = True, single: bool = False) -> Evaluation:
        """Value, scores, dual point and gradient in one pass over the rows.

        Without ``keep_rows`` the scores and the dual point are empty: nothing of the size of the data is made.
        With ``single`` the pass is made in the dtype of X (sums over blocks in float64): fast, and good enough to
        choose a step by, but no proof.
        """
        design, s = self.data.design, self.row_weights
        dtype = design.dtype if single else torch.float64
        target = self._target(dtype)
        coef, intercept = weights.coef.to(dtype), weights.intercept.to(dtype)
        shifts = self.intercept or bool(intercept.any())

        def part(own: slice) -> tuple[float, Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
            """Loss, its gradient and the intercept's, without row weights where they are all the same, and the rows."""
            pieces: list[tuple[Tensor, Tensor]] = []
            loss, gradient, level = 0.0, torch.zeros_like(weights.coef), torch.zeros_like(weights.intercept)
            for rows, block in design.blocks(single, own):
                z = block.scores(coef)
                if shifts:
                    z.add_(intercept)
                z = self._shifted(z, rows)
                if isinstance(s, Tensor):
                    value, dual = self.loss.value_and_gradient(z, target[rows])
                    share = s[rows].to(dtype)
                    total = float(torch.dot(share, value))
                    weighted = dual * (share if dual.ndim == 1 else share[:, None])
                else:
                    total, dual = self.loss.total_and_gradient(z, target[rows])
                    weighted = dual
                loss += total
                gradient += block.adjoint(weighted)
                if self.intercept:
                    level += weighted.sum(0)
                if keep_rows or not pieces:
                    pieces.append((z, dual) if keep_rows else (z[:0], dual[:0]))
            return loss, gradient, level, pieces

        done = each(part, design.ranges())
        loss, gradient, level, pieces = done[0]
        for more in done[1:]:
            loss, gradient, level, pieces = loss + more[0], gradient + more[1], level + more[2], pieces + more[3]
        if not isinstance(s, Tensor):
            loss, gradient, level = loss * s, gradient * s, level * s
        scores, dual = pieces[0] if len(pieces) == 1 else (torch.cat([q[i] for q in pieces]) for i in (0, 1))
        return self._evaluation(weights, loss, scores, dual, gradient, level)

    def _target(self, dtype: torch.dtype) -> Tensor:
        """The targets in ``dtype``; class numbers as they are."""
        y = self.data.y
        if y.dtype in (torch.int64, dtype):
            return y
        return self._single_target

    @cached_property
    def _single_target(self) -> Tensor:
        return self.data.y.float()

    def evaluate_scores(self, weights: Weights, scores: Tensor) -> Evaluation:
        """``evaluate`` where the scores are known already: half a pass, in float32 where scores and X are."""
        y = self.data.y
        y = y if y.dtype == torch.int64 else y.to(scores.dtype)
        value, dual = self.loss.value_and_gradient(scores, y)
        weighted = self.weighted(dual)
        gradient = self.data.design.adjoint(weighted)
        gradient = gradient.double()
        return self._evaluation(weights, self.mean(value), scores, dual, gradient, weighted.sum(0, dtype=torch.float64))

    def _evaluation(
        self, weights: Weights, loss: float, scores: Tensor, dual: Tensor, gradient: Tensor, gradient_b: Tensor
    ) -> Evaluation:
        b = gradient_b if self.intercept else torch.zeros_like(weights.intercept)
        whole = gradient + self.penalty.smooth_gradient(weights.coef)
        value = loss + self.penalty.value(weights.coef)
        return Evaluation(value, loss, scores, dual, Weights(whole, b), gradient)

    def curvature_gram(self, d: Tensor, single: bool = False) -> Tensor:
        """[X, 1]' diag(s d) [X, 1], (p + 1, p + 1), for curvatures ``d`` (n,); last row and column zero and one
        on the diagonal where there is no intercept (its gradient is zero, so it never moves).  With ``single`` the
        products are made in the dtype of X, their sums over blocks in float64."""
        d = self.weighted(d)
        p = self.p
        gram = torch.zeros((p + 1, p + 1), dtype=torch.float64, device=d.device)
        gram[:p, :p] = self.data.design.gram(d, self.data.design.dtype if single else torch.float64)
        if self.intercept:
            gram[:p, p] = gram[p, :p] = self.data.design.adjoint(d)
            gram[p, p] = d.sum()
        else:
            gram[p, p] = 1.0
        return gram

    def hessian(self, evaluation: Evaluation, single: bool = False) -> Tensor:
        """Hessian of the smooth part in the layout of ``Weights.flat``, (P, P).

        Softmax scores can be shifted together without any change; the mean of the class blocks is added to make that
        direction regular.  Gradients have no part in it, so Newton steps stay in the sum-to-zero gauge.  ``single``: as
        in ``curvature_gram``, for one output.
        """
        p, k = self.p, self.outputs
        ridge = self.ridge
        curvature = self.loss.curvature(evaluation.scores, self._target(evaluation.scores.dtype))
        if k is None:
            gram = self.curvature_gram(curvature.double(), single)
            gram.diagonal().add_(ridge)
            return gram
        size = p + 1
        total = torch.zeros((k, size, k, size), dtype=torch.float64, device=curvature.device)
        if self.loss.quadratic:
            gram = self.curvature_gram(curvature[:, 0])
            gram.diagonal().add_(ridge)
            for i in range(k):
                total[i, :, i, :] = gram
            return total.reshape(k * size, k * size)
        for i in range(k):
            for j in range(i, k):
                part = curvature[:, i] * ((1.0 if i == j else 0.0) - curvature[:, j])
                if i == j:
                    gram = self.curvature_gram(part)
                    gram.diagonal().add_(ridge)
                else:
                    gram = -self.curvature_gram(-part)
                    if not self.intercept:
                        gram[p, p] = 0.0
                total[i, :, j, :] = gram
                total[j, :, i, :] = gram.T
        scale = total.diagonal(dim1=0, dim2=2).diagonal(dim1=0, dim2=1).mean(0).clamp(min=1e-300)
        total += torch.diag(scale / k)[None, :, None, :]
        return total.reshape(k * size, k * size)


def problem(
    data: Data, loss: Loss, penalty: str | Penalty | None, strength: float | None, C: float | None,
    l1_ratio: float | None, fit_intercept: bool,
) -> Objective:
    """The objective that the arguments of ``fit`` mean."""
    if C is not None:
        strength = strength_of(C, strength, data)
        penalty = "l2" if penalty is None else penalty
        if strength == 0:
            penalty, strength = None, None
    return Objective(data, loss, as_penalty(penalty, strength=strength, l1_ratio=l1_ratio), fit_intercept)


def strength_of(C: float, strength: float | None, data: Data) -> float:
    """scikit-learn's C as the strength of the mean form: 1 / (C Σ weight)."""
    if strength is not None:
        raise ValueError("C= and strength= say the same thing; give one of them.")
    if not C > 0:
        raise ValueError(f"C={C}; it must be a positive number (inf for no penalty).")
    return 1.0 / (C * data.total_weight)


def weights_from(objective: Objective, start: tuple[Any, Any]) -> Weights:
    """Weights of the problem's shape from (weight, bias), shapes (K, p) and (K,)."""
    zeros = objective.zeros()
    weight, bias = (torch.as_tensor(v, dtype=torch.float64, device=zeros.coef.device) for v in start)
    try:
        if objective.outputs is None:
            return Weights(weight.reshape(objective.p), bias.reshape(()))
        return Weights(weight.reshape(objective.outputs, objective.p).T, bias.reshape(objective.outputs))
    except RuntimeError:
        k = objective.outputs or 1
        raise ValueError(
            f"start has shapes {tuple(weight.shape)} and {tuple(bias.shape)};"
            f" it must be ({k}, {objective.p}) and ({k},)."
        ) from None
