"""Standard errors of the weights, where likelihood theory gives them.

For an unpenalised squared, logistic, softmax or Poisson loss the weights' covariance is the inverse of the Fisher
information Σ weight l''(z) x x' at the optimum (McCullagh & Nelder 1989, section 2.5), for squared loss times
σ² = RSS / (Σ weight - number of weights).  Row weights count as frequencies: weight k is k copies of the row.

Softmax weights are defined up to a shift that all classes share.  Two gauges: ``reference=None``, the weights that sum
to zero over the classes, as the fit delivers them; ``reference=r``, their differences from class r.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline import extended
from sightline.bounds import max_row_norm_squared
from sightline.digits import Root, root_of_rows
from sightline.extended import UNIT
from sightline.objective import Evaluation, Objective, Weights
from sightline.precise import PreciseDesign
from sightline.refine import hessian_root, score_radius

LARGE = 1_000_000  # rows · columns beyond which float64 is enough where the condition allows it
LARGEST = 2000  # weights beyond which no covariance is computed


@dataclass(frozen=True)
class StandardErrors:
    """coef (p,) or (p, K) and intercept () or (K,) in the user's units (softmax with a reference class: zero there);
    None where the theory gives none, and then ``reason`` says why.  The intercept's is 0 where there is none.

    digits : decimal digits of them that are proven, for the data as given (for squared loss: of the unscaled errors
    and of σ, each).
    """

    coef: Tensor | None
    intercept: Tensor | None
    digits: float | None
    reason: str | None = None


def unavailable(objective: Objective) -> str | None:
    """Why there are no standard errors for such a problem, or None if there are."""
    loss, penalty = objective.loss, objective.penalty
    if loss.name not in ("squared", "logistic", "softmax", "poisson"):
        return f"the {loss} loss is not a likelihood with a Fisher information"
    if getattr(loss, "soft", False):
        return "soft labels are not observations of a class"
    if not penalty.none:
        return "penalised weights are biased; their spread alone says little"
    outputs = objective.outputs or 1
    weights = (objective.p + int(objective.intercept)) * (1 if loss.quadratic else outputs)
    if weights > LARGEST:
        return f"{weights} weights are more than the {LARGEST} whose covariance is computed"
    if loss.quadratic and objective.data.total_weight <= weights:
        return "there are no more rows than weights, so the residuals do not show the noise"
    return None


def covariance(objective: Objective, weights: Weights, reference: int | None = None) -> Tensor:
    """Covariance of ``weights.flat()`` at an optimum, in the user's units: (P, P), or (K P, K P) for K outputs, output
    after output, P = p + 1 with the intercept last (zero where there is none).

    Raises
    ------
    ValueError : the theory gives none; the message says why.
    """
    found = _Information.at(objective, weights, reference)
    if isinstance(found, str):
        raise ValueError(f"no standard errors: {found}.")
    rows = found.rows
    total = rows @ rows.T
    if objective.loss.quadratic and objective.outputs is not None:
        blocks = [total * float(v) for v in found.variance]
        return torch.block_diag(*blocks)
    return total * float(found.variance[0])


def standard_errors(objective: Objective, weights: Weights, reference: int | None = None) -> StandardErrors:
    """Square roots of the covariance's diagonal, with the digits that are proven.  Raises nothing: where there are
    none, ``reason`` says why."""
    found = _Information.at(objective, weights, reference)
    if isinstance(found, str):
        return StandardErrors(None, None, None, found)
    norms = found.rows.norm(dim=1)
    k = objective.outputs
    if k is None:
        flat = norms * float(found.variance[0].sqrt())
        return StandardErrors(flat[:-1], flat[-1], found.digits)
    if objective.loss.quadratic:
        table = norms[:, None] * found.variance.sqrt()
    else:
        table = norms.reshape(k, -1).T
    return StandardErrors(table[:-1], table[-1], found.digits)


@dataclass(frozen=True)
class _Information:
    """rows : B with covariance B B' · variance, in the layout of ``Weights.flat``.  variance : (K,) or (1,)."""

    rows: Tensor
    variance: Tensor
    digits: float

    @classmethod
    def at(cls, objective: Objective, weights: Weights, reference: int | None) -> _Information | str:
        why = unavailable(objective)
        if why:
            return why
        evaluation = objective.evaluate(weights)
        if objective.outputs is None and objective.n * objective.p > LARGE:
            plain = cls._plain(objective, evaluation)
            if plain is not None:
                return plain
        design = PreciseDesign(objective)
        scores = evaluation.scores if evaluation.scores.ndim == 2 else evaluation.scores[:, None]
        total = objective.data.total_weight
        if objective.loss.quadratic:
            weight = objective.data.weight
            blocks = (A if weight is None else A * weight[rows, None].sqrt() for rows, A in design.centred_rows())
            again = (A if weight is None else A * weight[rows, None].sqrt() for rows, A in design.centred_rows())
            root, error = root_of_rows(blocks, again), 0.0
            residual = objective.weighted(evaluation.dual.square()).sum(0).reshape(-1) * total
            variance = residual / (total - design.P)
        else:
            root = hessian_root(design, scores)
            variance = scores.new_ones(1)
            error = _distance(design, root, evaluation.gradient, total) if root.error < 1 else math.inf
        error = error + root.error * (1 + error)
        if not error < 0.5:
            return "the columns are too nearly dependent, or the weights are not at an optimum"
        B = _user_rows(design, root)
        if not objective.loss.quadratic and objective.outputs is not None:
            B = _gauge(B, objective.outputs, reference)
        # sqrt((B (I - E)^-1 B')_jj) is within this share of |B_j|; B itself and sums of n squares are rounded.
        share = 1 / math.sqrt(1 - error) - 1 + (objective.n + 4 * len(B) + 64) * UNIT
        return cls(B, variance, max(0.0, -math.log10(share)))


    @classmethod
    def _plain(cls, objective: Objective, evaluation: Evaluation) -> _Information | None:
        """In float64 from one Gram matrix, for many rows; None where its rounding could matter."""
        total, size = objective.data.total_weight, objective.p + 1
        gram = objective.curvature_gram(objective.loss.curvature(evaluation.scores, objective.data.y))
        d = gram.diagonal().clamp(min=1e-300).sqrt()
        correlation = gram / d[:, None] / d
        lowest = float(torch.linalg.eigvalsh(correlation)[0])
        # Every entry of the correlations is off by at most (n + 8) rounding units.
        error = size * (objective.n + 8) * UNIT / lowest if lowest > 0 else math.inf
        if not error < 1e-3:
            return None
        factor = torch.linalg.cholesky(correlation) * d[:, None]
        eye = torch.eye(size, dtype=gram.dtype, device=gram.device)
        rows = torch.linalg.solve_triangular(factor, eye, upper=False).T
        if objective.loss.quadratic:
            degrees = total - objective.p - int(objective.intercept)
            variance = objective.weighted(evaluation.dual.square()).sum().reshape(1) * total / degrees
        else:
            variance = gram.new_ones(1)
            decrement = float((rows.T @ evaluation.gradient.flat()).norm())
            product = decrement * math.sqrt(max_row_norm_squared(objective, factor)) * (1 + error)
            if not product < 0.25:
                return None
            error = error + math.expm1(-math.log1p(-product)) * (1 + error)
        rows = rows / math.sqrt(total)
        if not objective.intercept:
            rows[-1] = 0.0
        share = 1 / math.sqrt(1 - error) - 1 + (objective.n + 4 * size + 64) * UNIT
        return cls(rows, variance, max(0.0, -math.log10(share)))


def _distance(design: PreciseDesign, root: Root, gradient: Weights, total: float) -> float:
    """Share by which the information can change between here and the optimum: exp(change of any score) - 1."""
    g = torch.cat([gradient.coef.reshape(design.p, -1) / design.d[:, None], gradient.intercept.reshape(1, -1)])
    g, _ = design.to_centred(extended.dd(g[: design.P] * total), 0.0)
    half = root.matrix.T @ (g if len(root.matrix) == len(g) else g.T.reshape(-1, 1))
    product = score_radius(design, root) * float(half.norm()) * root.inflation
    return math.expm1(-math.log1p(-product)) if product < 0.25 else math.inf


def _user_rows(design: PreciseDesign, root: Root) -> Tensor:
    """The root's rows as rows of user weights, ``Weights.flat`` layout (a zero row for a missing intercept)."""
    P, blocks = design.P, []
    for i in range(len(root.matrix) // P):
        rows, _ = design.spread_rows(root.matrix[i * P : (i + 1) * P])
        coef = rows[: design.p] / design.d[:, None]
        blocks.append(torch.cat([coef, rows[design.p :] if design.objective.intercept else torch.zeros_like(coef[:1])]))
    return torch.cat(blocks)


def _gauge(B: Tensor, k: int, reference: int | None) -> Tensor:
    """Rows of the sum-to-zero weights, or of differences from the reference class."""
    table = B.reshape(k, -1, B.shape[1])
    other = table.mean(0, keepdim=True) if reference is None else table[reference : reference + 1]
    return (table - other).reshape(B.shape)
