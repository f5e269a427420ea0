"""Least squares and ridge without iterations that could fail: a factor once, then refinement.

Three ways, chosen by size and by the condition that the factor itself measures:

small or ill-conditioned   Householder QR and double-double residuals (``refined``); dependent columns are found there
                           and handed to ``least_norm``.
many rows                  the Gram matrix and its Cholesky factor, one float64 refinement step in one more pass; the
                           Gram matrix's rounding is bounded, and where that bound is poor the first way takes over.
more columns than rows     with an L2 penalty, the Gram matrix of the rows (the dual problem: Saunders, Gammerman &
                           Vovk 1998), refined in the same manner.

The gap is ½ |S'g|² / (1 - error) with the gradient g of the normal equations (see ``digits``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.bounds import Bound, smooth_gap
from sightline.design_matrix import gram_rows
from sightline.digits import Root, proven_digits, root_of_gram
from sightline.extended import UNIT
from sightline.objective import Objective, Weights
from sightline.precise import PreciseDesign
from sightline.solvers.base import Solver, Step
from sightline.solvers.factor import cholesky
from sightline.solvers.least_norm import least_norm, row_space
from sightline.solvers.refined import refined

SMALL = 100_000  # rows · weights up to which twice the working precision costs next to nothing
LARGEST = 5000  # min(rows, columns) beyond which a factor costs too much
SPARSE_COLUMNS = 2000  # the same for a sparse design matrix, whose factor is dense
COLUMNS = 4096  # columns of a wide design matrix that are taken at once
PASSES = 4  # most passes of the second way
LARGE = 4_000_000  # rows · columns beyond which one pass is enough ...
ROUGH = 1e-5  # ... if the Gram matrix is that accurate, and the value is more than this share of that at zero
CLOSE = 1e-7  # relative gap at which the second way has done enough
FLOAT32 = 2**29  # rounding units of float64 in one of float32
ACCURATE = 0.05  # rounding of the Gram matrix, as a share, up to which it is used


@dataclass(frozen=True)
class Direct(Solver):
    """Factor and refine."""

    name = "direct"
    own_coordinates = True

    def refuses(self, objective: Objective) -> str | None:
        if not objective.loss.quadratic:
            return f"solves least squares; the {objective.loss} loss is not quadratic"
        if not objective.penalty.smooth:
            return "needs a smooth penalty: none or L2"
        most = min(objective.n, objective.p)
        if most > LARGEST or (objective.data.design.sparse and objective.p > SPARSE_COLUMNS):
            return f"factors a matrix of {most} columns, which costs too much"
        return None

    def steps(self, objective: Objective, start: Weights) -> Iterator[Step]:
        """The problem at zero weights (``start`` is not needed), then its solution."""
        n, p = objective.n, objective.p
        if n * (p + 1) > SMALL:
            if n > p:
                close = False
                for number, step in enumerate(gram_steps(objective)):
                    close = step.bound.gap <= CLOSE * step.value
                    if close or number == 0:
                        yield step
                if close:
                    return
            elif objective.penalty.l2 > 0:
                yield from dual_steps(objective)
                return
        if objective.penalty.none and n <= p:
            yield from least_norm(objective, row_space(PreciseDesign(objective)))
            return
        problem = refined(objective)
        if problem.doubtful() and (objective.penalty.none or problem.root.error >= 1):
            space = row_space(problem.design)
            if space.rank < p or problem.root.error >= 1:
                yield from least_norm(objective, space)
                return
        yield from problem.steps()


def gram_steps(objective: Objective) -> Iterator[Step]:
    """The solution by the Gram matrix; no more than the first step where that is not accurate enough.

    X'y and the Gram matrix give the solution; one more pass, for the residual's own gradient, gives it the last
    digits.  A large problem goes without where its Gram matrix and its value are accurate to six digits and more.
    Large float32 data have their Gram matrix in float32, if that is accurate enough: the pass makes up for it.
    """
    data, penalty = objective.data, objective.penalty
    design, n, p = data.design, objective.n, objective.p
    total = data.total_weight
    coef = torch.zeros((p, objective.outputs or 1), dtype=torch.float64, device=design.device)
    intercept = torch.zeros_like(coef[0])
    strengths = penalty.l2_strengths(coef[:, 0]) * torch.ones_like(coef[:, 0]) * total
    raw: Tensor | None = None
    single = design.dtype == torch.float32 and not design.sparse and n * p > LARGE
    for number in range(PASSES):
        rough = single and number == 0 and not objective.intercept
        g, gb, sums, value, unit = _normal_equations(objective, coef, intercept, rough)
        slip, unsure = unit * math.sqrt(2 * value), unit * value
        if data.offset is not None:
            slip += 4 * UNIT * math.sqrt(total) * float(data.offset.abs().max())
        g = g - strengths[:, None] * coef
        value += 0.5 * float((strengths[:, None] * coef.square()).sum())
        if number == 0:
            yield Step(_weights(objective, coef, intercept), value / total, float(g.norm()) / total)
        if raw is None:
            mean = sums / total
            for dtype in (torch.float32, torch.float64) if single else (torch.float64,):
                raw = design.gram(data.weight, dtype)
                norms = raw.diagonal().sqrt()
                gram = raw.clone()
                if objective.intercept:
                    gram -= total * mean[:, None] * mean
                gram.diagonal().add_(strengths)
                terms = 3 * n + 16  # X'X, and two sums in the means
                if dtype == torch.float32:
                    terms += FLOAT32 * (gram_rows(p) + 8)
                root = root_of_gram(gram, terms, norms)
                if root.error < ACCURATE:
                    break
            else:
                return
            S = root.matrix
        reach = (norms[:, None] * coef.abs()).sum(0) + math.sqrt(total) * intercept.abs()
        residual = (p + 6) * UNIT * float(reach.norm())
        unsure += residual * math.sqrt(2 * value)
        slip = (slip + residual) * math.sqrt(coef.shape[1])
        centred = g - mean[:, None] * gb if objective.intercept else g
        half = S.T @ centred
        step = S @ half
        lift = gb / total - mean @ step if objective.intercept else torch.zeros_like(gb)
        last = value
        value -= 0.5 * float(half.square().sum() + (gb.square().sum() / total if objective.intercept else 0.0))
        done = _Pass(root, norms, gram.diagonal(), mean, centred, gb, step, lift, half, slip, unsure, total)
        rounded = 4 * UNIT * strengths * coef.abs().amax(1)
        coef, intercept = coef + step, intercept + lift
        if number == 0 and (n * p <= LARGE or root.error > ROUGH or value < ROUGH * last):
            continue
        yield done.solution(objective, coef, intercept, max(value, 0.0), rounded)
        if number and value > 0.5 * last:
            return


@dataclass(frozen=True)
class _Pass:
    """One Newton step with the Gram matrix's factor: means (p,), centred gradient (p, K) and the intercept's (K,), the
    step of each, S'g; ``slip``: the gradient's j-th entry errs by slip · norms_j; ``unsure``: rounding of the value."""

    root: Root
    norms: Tensor
    diagonal: Tensor
    mean: Tensor
    centred: Tensor
    gb: Tensor
    step: Tensor
    lift: Tensor
    half: Tensor
    slip: float
    unsure: float
    total: float

    def solution(self, objective: Objective, coef: Tensor, intercept: Tensor, value: float, spread: Tensor) -> Step:
        """The step at these weights, after it: what is left is the root's error times the step, and rounding.

        ``spread`` (p,) : rounding of the penalty's gradient."""
        root, S, mean, total = self.root, self.root.matrix, self.mean, self.total
        n, p, size = objective.n, objective.p, math.sqrt(self.total)
        spread = spread + self.norms * self.slip
        flat = size * (self.slip + n * UNIT * float(self.gb.abs().max()) / total)
        if objective.intercept:
            # The means are rounded, so centred columns and the intercept are not quite orthogonal.
            cross = (n + 8) * UNIT
            spread = spread + mean.abs() * size * self.slip + cross * size * self.norms * self.lift.abs().max()
            flat += cross * float((self.norms @ self.step.abs()).norm())
        unit, half = (2 * p + 8) * UNIT, self.half
        noise = float((S.abs().T @ (spread[:, None] + unit * self.centred.abs())).norm())
        left = root.inflation * (root.error * float(half.norm()) + noise) * (1 + 1e-9)
        dtype = objective.data.design.dtype
        given, level = coef.to(dtype).double(), intercept.to(dtype).double()
        moved, shifted = given - coef, (level - intercept) + mean @ (given - coef)
        added = float((root.inverse @ moved).norm()) * (1 + root.error) + size * float(shifted.norm())
        rounding = 2 * UNIT * float((root.inverse.abs() @ coef.abs()).norm()) + size * 4 * UNIT * float(
            (intercept.abs() + mean.abs() @ coef.abs()).norm()
        )
        gap = (0.5 * (left + flat + added + rounding) ** 2 + self.unsure) / total
        value = (value + 0.5 * added**2) / total
        wrong = 4 * UNIT * coef.abs() + unit * (S.abs() @ half.abs())
        errors = root.row_norms()[:, None] * left + wrong + moved.abs()
        values, sizes = given, self.diagonal.sqrt()[:, None]
        if objective.intercept:
            tilt = float((mean @ S).norm()) + unit * float((mean.abs() @ S.abs()).norm())
            off = flat / size + tilt * left + mean.abs() @ wrong + 8 * UNIT * intercept.abs()
            errors = torch.cat([errors, (off + (level - intercept).abs())[None]])
            values = torch.cat([values, level[None]])
            sizes = torch.cat([sizes, sizes.new_full((1, 1), size)])
        bound = Bound(min(gap, value), "normal equations")
        weights = _weights(objective, given, level)
        return Step(weights, value, float(half.norm()) / total, bound, proven_digits(values, errors, sizes))


def _weights(objective: Objective, coef: Tensor, intercept: Tensor) -> Weights:
    return Weights(coef[:, 0], intercept[0]) if objective.outputs is None else Weights(coef, intercept)


def _normal_equations(
    objective: Objective, coef: Tensor, intercept: Tensor, rough: bool = False
) -> tuple[Tensor, Tensor, Tensor, float, float]:
    """X'W r and 1'W r for r = y - offset - X coef - intercept, X'W 1 (zero without an intercept), the sum ½ Σ w r²,
    and the relative rounding of such sums, beside that of the residual itself.  ``rough``: zero weights are given, and
    X'W r is made in the dtype of X."""
    data, design = objective.data, objective.data.design
    single, still = coef.shape[1] == 1, not bool(coef.any())
    w, b = (coef[:, 0], intercept[0]) if single else (coef, intercept)
    g, gb, sums = torch.zeros_like(w), torch.zeros_like(b), torch.zeros_like(coef[:, 0])
    value, longest, count = 0.0, 0, 0
    # Where there are no scores to compute, one product is enough: fewer barriers between threads.
    for rows, block in [(slice(0, design.n), design)] if still else design.blocks():
        y = data.y[rows]
        r = y.reshape(-1) if single else y
        if not still:
            r = r - block.scores(w).add_(b)
        if data.offset is not None:
            r = r - (data.offset[rows] if single else data.offset[rows, None])
        weight = None if data.weight is None else data.weight[rows]
        wr = r if weight is None else r * (weight if single else weight[:, None])
        g += block.adjoint(wr.to(block.dtype) if rough else wr)
        if objective.intercept:
            gb += wr.sum(0)
            sums += block.adjoint(torch.ones_like(wr if single else wr[:, 0]) if weight is None else weight)
        value += 0.5 * float(torch.dot(wr.reshape(-1), r.reshape(-1)))
        longest, count = max(longest, block.n), count + 1
    return g.reshape(coef.shape), gb.reshape(-1), sums, max(value, 0.0), (longest + count + 8) * UNIT


def dual_steps(objective: Objective) -> Iterator[Step]:
    """Ridge with more columns than rows: (X X' / (λ W) + diag(1 / w)) α + b = y, Σ α = 0, coefficients X'α / (λ W)."""
    data, penalty = objective.data, objective.penalty
    design, n, p = data.design, objective.n, objective.p
    total = data.total_weight
    y = data.y if data.offset is None else data.y - (data.offset if data.y.ndim == 1 else data.offset[:, None])
    y = y if y.ndim == 2 else y[:, None]
    shape = objective.zeros()
    yield Step(shape, objective.value(shape), math.inf)
    strengths = penalty.l2_strengths(shape.coef[:, 0] if shape.coef.ndim == 2 else shape.coef)
    inverse = torch.as_tensor(1 / (strengths * total), dtype=torch.float64, device=design.device).expand(p)
    kernel = torch.zeros((n, n), dtype=torch.float64, device=design.device)
    centre = design.column_statistics()[0] if objective.intercept else None
    for columns in range(0, p, COLUMNS):
        index = torch.arange(columns, min(columns + COLUMNS, p), device=design.device)
        part = design.columns(index).to_dense()
        if centre is not None:
            part = part - centre[index]
        part = part * inverse[index].sqrt()
        a = part.numpy() if part.device.type == "cpu" else part
        kernel += torch.as_tensor(a @ a.T, device=design.device)
    spread = torch.ones_like(y[:, :1]) if data.weight is None else 1 / data.weight[:, None]
    reach = float(kernel.trace()) + (0.0 if centre is None else n * float((centre.square() * inverse).sum()))
    rounding = 0.5 * ((n + 4) * UNIT) ** 2 * reach
    kernel.diagonal().add_(spread[:, 0])
    factor = cholesky(kernel)
    free = torch.cholesky_solve(torch.ones((n, 1), dtype=torch.float64, device=design.device), factor)

    def weights_of(alpha: Tensor, level: Tensor) -> Weights:
        coef = inverse[:, None] * design.adjoint(alpha)
        intercept = level - centre @ coef if centre is not None else torch.zeros_like(level)
        return Weights(coef, intercept) if data.y.ndim == 2 else Weights(coef[:, 0], intercept[0])

    alpha, level = torch.zeros_like(y), torch.zeros_like(y[0])
    rest = y
    last = math.inf
    for _ in range(4):
        t = torch.cholesky_solve(rest, factor)
        change = t.sum(0) / free.sum() if objective.intercept else torch.zeros_like(level)
        alpha, level = alpha + t - free * change, level + change
        if objective.intercept:
            alpha = alpha - alpha.mean(0)
        weights = weights_of(alpha, level)
        now = objective.evaluate(weights)
        r = -now.dual if now.dual.ndim == 2 else -now.dual[:, None]
        rest = r - alpha * spread
        # Fenchel: value - dual value = ½ Σ w (r - α / w)² + ½ λ |coef - X'α / λ|², of which the last is rounding, as is
        # what is left of Σ α.
        gap = 0.5 * float((rest.square() / spread).sum()) + rounding * float(alpha.square().sum())
        gap += n * UNIT * float((alpha.abs().sum(0) * (level.abs() + y.abs().amax(0))).sum())
        bound = smooth_gap(objective, weights, now)
        if gap / total < bound.gap:
            bound = Bound(gap / total, "duality gap")
        yield Step(weights, now.value, float(now.gradient.coef.norm()), Bound(min(bound.gap, now.value), bound.method))
        if not bound.gap < 0.1 * last:
            return
        last = bound.gap
