"""Primal-dual interior-point method for losses with bounded dual variables: hinge, quantile, Huber.

Each row has a dual variable θ in [low, high] and slacks u, v >= 0 with  u - v + soft θ = x·w + b - kink.  With
a = θ - low and c = high - θ the optimum has  a v = 0 and c u = 0;  the method follows  a v = c u = μ  to μ = 0 by
Newton steps with Mehrotra's predictor and corrector (Mehrotra 1992; for quantile regression Portnoy & Koenker 1997,
section 3; for support vector machines Ferris & Munson 2002, eq. 9-12).  Eliminating u, v and θ leaves the system

    ([X,1]' s D [X,1] + ridge) Δ = right-hand side,     D = 1 / (soft + u/c + v/a),

solved by a Cholesky factor of size p + 1, or where there are fewer rows than columns of size n (Woodbury's formula).
θ stays inside its box throughout, so it gives a duality gap as soon as its equations hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.design_matrix import SparseDesign
from sightline.solvers.kinks import Kinks, central, mean_size, soft_central

TINY = 1e-300
CYCLING = 4  # steps without a decrease of the complementarity after which one is spent on centring
LEAST = 1e-60  # complementarity below which nothing is left to do
SMALL = 300  # up to so many columns the matrix of their size is factorised, however few the rows
Solve = Callable[[Tensor], Tensor]


@dataclass
class Path:
    """A point near the central path.

    weights : (p + 1,).  theta : dual variable of each row (data's rows, then coefficients' rows).
    up, down : slacks u and v.  below, above : a and c.  residual : rows·weights - kink.
    complementarity : Σ weight (a v + c u), the gap where everything is feasible.  dual_residual : (p + 1,).
    """

    weights: Tensor
    theta: Tensor
    up: Tensor
    down: Tensor
    below: Tensor
    above: Tensor
    residual: Tensor
    complementarity: float = math.inf
    dual_residual: Tensor | None = None


def path_from(problem: Kinks, weights: Tensor, barrier: float | None = None) -> Path:
    """The point whose slacks and θ are on the central path for the given weights; ``barrier`` is a residual's size
    below which θ should not yet be decided (by default the mean size of the residuals)."""
    weights = torch.cat([weights[:-1].clamp(min=0), weights[-1:]]) if problem.positive else weights
    residual = problem.apply(weights) - problem.all_rows[1]
    size = mean_size(problem, residual) if barrier is None else barrier
    at = _central(problem, weights, residual, 0.25 * size)
    if not problem.positive:
        return at
    # Coefficients stay inside their constraint by what the gradient there makes central.
    n, t = problem.n, problem.coefficient_share
    gradient = problem.linear + problem.quadratic(weights)
    gradient = gradient[:-1] + problem.design.adjoint(problem.share * at.theta[:n])
    high = problem.all_rows[3][n:]
    above = torch.maximum(high + gradient / t, (0.1 * gradient.abs().mean() / t).clamp(min=TINY))
    scale = mean_size(problem, problem.apply(torch.zeros_like(weights)) - problem.all_rows[1])
    usual = max(0.1 * float(weights[:-1].mean()), 0.01 * scale)
    coef = torch.maximum(weights[:-1], (0.25 * size / above).clamp(max=usual))
    above = torch.maximum(above, 0.25 * size / coef)
    weights = torch.cat([coef, weights[-1:]])
    residual = problem.apply(weights) - problem.all_rows[1]
    at = _central(problem, weights, residual, 0.25 * size)
    at.up[n:], at.above[n:], at.theta[n:] = coef, above, high - above
    at.below[n:], at.down[n:] = 1.0, TINY
    return at


def _central(problem: Kinks, weights: Tensor, residual: Tensor, barrier: float) -> Path:
    """θ and slacks on the central path; those of one-sided rows are placeholders."""
    _, _, low, high, _ = problem.all_rows
    width = high - low
    middle = 0.5 * (high + low)
    mu = torch.full_like(width, barrier)
    soft = problem.all_soft
    t = central(residual, width, mu) if soft is None else soft_central(residual, width, mu, middle, soft)
    theta, below, above = middle + t, 0.5 * width + t, 0.5 * width - t
    # The distance to the nearer end, without cancellation.
    rest = residual if soft is None else residual - soft * theta
    above = torch.where((t > 0) & (rest > 0), mu / (rest + mu / below), above)
    below = torch.where((t < 0) & (rest < 0), mu / (mu / above - rest), below)
    return Path(weights, theta, mu / above, mu / below, below, above, residual)


def follow(problem: Kinks, at: Path) -> Iterator[Path]:
    """Points ever nearer to the optimum, beginning with the first; ends when a step makes no progress."""
    weight, kink, low, high, two = problem.all_rows
    count = float((weight if two is None else weight * (1 + two)).sum()) * (2.0 if two is None else 1.0)
    soft = problem.all_soft
    separate = soft is None and not bool((problem.ridge > 0).any())
    short, stuck, least = 0, 0, math.inf
    while True:
        at.complementarity = float(torch.dot(weight, _products(at, two)))
        gradient = problem.linear + problem.adjoint(weight * at.theta) + problem.quadratic(at.weights)
        at.dual_residual = gradient
        yield at
        mu = at.complementarity / count
        if not mu > LEAST:
            return
        d = at.up / at.above if soft is None else at.up / at.above + soft
        d = d + (at.down / at.below if two is None else two * at.down / at.below)
        d = 1 / d.clamp(min=LEAST)
        pull = at.residual if soft is None else at.residual - soft * at.theta
        try:
            solve = normal_equations(problem, weight * d)
        except FloatingPointError:
            return

        def direction(
            low_target: Tensor | float, high_target: Tensor | float, at: Path = at, d: Tensor = d,
            pull: Tensor = pull, gradient: Tensor = gradient, solve: Solve = solve,
        ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
            """Newton direction to a v = low_target, c u = high_target."""
            from_low, from_high = low_target / at.below, high_target / at.above
            if two is not None:
                from_low = two * from_low
            e = pull - from_high + from_low
            delta = solve(-(gradient + problem.adjoint(weight * d * e)))
            moved = problem.apply(delta)
            theta = d * (moved + e)
            down = from_low - at.down - at.down * theta / at.below
            up = from_high - at.up + at.up * theta / at.above
            if two is not None:
                down = two * down
            return delta, moved, theta, up, down

        delta, moved, theta, up, down = direction(0.0, 0.0)
        primal, dual = _lengths(at, theta, up, down, two, separate)
        after = float(
            torch.dot(weight, (at.above - dual * theta) * (at.up + primal * up))
            + torch.dot(weight if two is None else weight * two, (at.below + dual * theta) * (at.down + primal * down))
        )
        sigma = min(1.0, max(after, 0.0) / at.complementarity) ** 3
        target = max(sigma, 1e-8) * mu
        stuck = stuck + 1 if at.complementarity > 0.7 * least else 0
        least = min(least, at.complementarity)
        if stuck > CYCLING:
            # The predictor's guesses lead in circles: back to the middle of the path first.
            stuck = 0
            delta, moved, theta, up, down = direction(0.5 * mu, 0.5 * mu)
        else:
            delta, moved, theta, up, down = direction(target - theta * down, target + theta * up)
        primal, dual = _lengths(at, theta, up, down, two, separate)
        shrink = max(0.995, 1 - 10 * at.complementarity) if separate else 0.995
        primal, dual = min(1.0, shrink * primal), min(1.0, shrink * dual)
        short = short + 1 if max(primal, dual) < 1e-3 else 0
        if short > 3 or not (math.isfinite(primal + dual) and bool(torch.isfinite(delta).all())):
            return
        change = dual * theta
        at = Path(
            weights=at.weights + primal * delta,
            theta=at.theta + change,
            up=at.up + primal * up,
            down=at.down + primal * down,
            below=at.below + (change if two is None else two * change),
            above=at.above - change,
            residual=at.residual + primal * moved,
        )


def _products(at: Path, two: Tensor | None) -> Tensor:
    low = at.below * at.down
    return at.above * at.up + (low if two is None else two * low)


def _lengths(
    at: Path, theta: Tensor, up: Tensor, down: Tensor, two: Tensor | None, separate: bool
) -> tuple[float, float]:
    """Largest steps that keep slacks and θ inside, (primal, dual); equal unless ``separate``."""
    worst_primal = float(torch.maximum((-up / at.up).max(), (-down / at.down).max()))
    to_low = -theta / at.below if two is None else -two * theta / at.below
    worst_dual = float(torch.maximum(to_low.max(), (theta / at.above).max()))
    if not separate:
        worst_primal = worst_dual = max(worst_primal, worst_dual)
    return 1 / max(worst_primal, 1.0), 1 / max(worst_dual, 1.0)


def wide(problem: Kinks) -> bool:
    """There are so many more columns than rows that matrices of the rows' size are the better ones."""
    return problem.p > max(SMALL, 3 * problem.n)


def normal_equations(problem: Kinks, d: Tensor) -> Solve:
    """Solver of ([X,1]' diag(d) [X,1] + ridge + coefficient rows) x = r.

    Raises
    ------
    FloatingPointError : the system holds values that are not finite.
    """
    rows, diagonal = d[: problem.n], problem.ridge
    if problem.slope is not None:
        diagonal = diagonal + d[problem.n :]
    if wide(problem) and bool((diagonal > 0).all()):
        return _by_rows(problem, rows, diagonal)
    p = problem.p
    gram = torch.zeros((p + 1, p + 1), dtype=torch.float64, device=d.device)
    gram[:p, :p] = problem.design.gram(rows)
    gram.diagonal()[:p] += diagonal
    if problem.intercept:
        gram[:p, p] = gram[p, :p] = problem.design.adjoint(rows)
        gram[p, p] = rows.sum()
    else:
        gram[p, p] = 1.0
    return _cholesky_solver(gram)


def _by_rows(problem: Kinks, rows: Tensor, diagonal: Tensor) -> Solve:
    """Woodbury: (Λ + X'DX)⁻¹ = Λ⁻¹ - Λ⁻¹X'(D⁻¹ + XΛ⁻¹X')⁻¹XΛ⁻¹, the intercept eliminated last."""
    design, inverse = problem.design, 1 / diagonal
    kernel = row_gram(problem, inverse)
    kernel.diagonal().add_(1 / rows)
    small = _cholesky_solver(kernel)
    ones = torch.ones_like(rows)
    column = small(ones) if problem.intercept else ones

    def solve(r: Tensor) -> Tensor:
        # Unknowns (w, b) and t = D (Xw + b):  Λ w + X't = r_w,  1't = r_b,  D⁻¹ t - Xw - b = 0.
        base = inverse * r[:-1]
        z = design.scores(base)
        part = small(z)
        b = r.new_zeros(())
        if problem.intercept:
            b = (r[-1] - part.sum()) / column.sum()
            part = part + b * column
        w = inverse * (r[:-1] - design.adjoint(part))
        return torch.cat([w, b.reshape(1)])

    def refined(r: Tensor) -> Tensor:
        x = solve(r)
        for _ in range(2):
            z = design.scores(x[:-1]) + (x[-1] if problem.intercept else 0.0)
            back = rows * z
            total = back.sum() if problem.intercept else x[-1]
            x = x + solve(r - torch.cat([diagonal * x[:-1] + design.adjoint(back), total.reshape(1)]))
        return x

    return refined


def row_gram(problem: Kinks, inverse: Tensor) -> Tensor:
    """X diag(inverse) X', (n, n)."""
    design = problem.design
    if isinstance(design, SparseDesign):
        import numpy as np
        import scipy.sparse

        half = scipy.sparse.csr_array(design.X.astype("float64") @ scipy.sparse.diags_array(inverse.sqrt().numpy()))
        return torch.from_numpy(np.asarray((half @ half.T).todense()))
    half = design.X.double() * inverse.sqrt()
    return half @ half.T


def _cholesky_solver(matrix: Tensor) -> Solve:
    """Cholesky of the matrix scaled to a unit diagonal, lifted by the least multiple of it that makes it regular; one
    step of refinement where it was lifted."""
    scale = matrix.diagonal().clamp(min=TINY).rsqrt()
    scaled = scale[:, None] * matrix * scale
    factor, info = torch.linalg.cholesky_ex(scaled)
    lift = 2.0**-50
    while int(info) or not bool(torch.isfinite(factor.diagonal()).all()):
        if lift > 1e-2:
            raise FloatingPointError("the normal matrix holds values that are not finite")
        lifted = scaled.clone()
        lifted.diagonal().add_(lift)
        factor, info = torch.linalg.cholesky_ex(lifted)
        lift *= 16
    refine = 1 if lift == 2.0**-50 else 3

    def solve(r: Tensor) -> Tensor:
        right = (scale * r)[:, None]
        x = torch.cholesky_solve(right, factor)
        for _ in range(refine):
            x = x + torch.cholesky_solve(right - scaled @ x, factor)
        return scale * x[:, 0]

    return solve
