"""From a point near the optimum of a problem with kinks to the vertex (or face) it is heading for.

Rows are sorted into those on their kink and those on one side.  The first are equations, x·w + b = kink, whose θ is
free; the others have θ at an end of the box; coefficients on their kink are zero.  What is left is one linear system
(the optimality conditions of an equality-constrained quadratic program, Nocedal & Wright 2006, eq. 16.4), solved to
full precision.  Whether the sorting was right is for the duality gap to say.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.solvers.interior_point import Path, normal_equations
from sightline.solvers.kinks import Kinks, mean_size

LARGEST_SYSTEM = 2500


def vertex(problem: Kinks, at: Path) -> tuple[Tensor, Tensor] | None:
    """(weights (p + 1,), θ of the data's rows (n,)) on the face that ``at`` points to, or None where its system is too
    large or has no solution."""
    if problem.soft > 0:
        return _newton(problem, at)
    _, kink, low, high, two = problem.all_rows
    n = problem.n
    width = high - low
    spread = at.up / at.above + (at.down / at.below if two is None else two * at.down / at.below)
    # A residual's usual size; where all are next to nothing, that of the kinks.
    kinks = mean_size(problem, kink - torch.dot(problem.share, problem.kink) / problem.share.sum())
    size = torch.full_like(width, max(mean_size(problem, at.residual), 1e-4 * kinks))
    if problem.slope is not None:
        size[n:] = max(float(at.weights[:-1].abs().mean()), 1e-4 * kinks)
    on_kink = spread * width < size
    rows = on_kink[:n].nonzero()[:, 0]
    theta = torch.where(at.up > at.down, high, low)
    theta = torch.where(on_kink, at.theta, theta)
    weights = at.weights.clone()
    moving = torch.ones_like(weights, dtype=torch.bool)
    if problem.slope is not None:
        moving[:-1] = ~on_kink[n:]
        weights[~moving] = 0.0
    moving[-1] = problem.intercept
    columns = moving.nonzero()[:, 0]
    total = len(rows) + len(columns)
    if total > LARGEST_SYSTEM or len(columns) == 0:
        return None
    inside = problem.design.rows(rows).to_dense()
    equations = torch.cat([inside, torch.ones_like(inside[:, :1])], 1)[:, columns]
    system = equations.new_zeros((total, total))
    c = len(columns)
    system[:c, c:] = equations.T
    system[c:, :c] = equations
    diagonal = torch.cat([problem.ridge, problem.ridge.new_zeros(1)])[columns]
    system.diagonal()[:c] = diagonal
    all_weights = problem.all_rows[0]
    for _ in range(2):
        gradient = problem.linear + problem.adjoint(all_weights * theta) + problem.quadratic(weights)
        off = inside @ weights[:-1] + (weights[-1] if problem.intercept else 0.0) - kink[rows]
        change = _solve(system, -torch.cat([gradient[columns], off]))
        if change is None:
            return None
        weights[columns] += change[:c]
        theta[rows] += change[c:] / all_weights[rows]
    return weights, theta[:n]


def _newton(problem: Kinks, at: Path) -> tuple[Tensor, Tensor] | None:
    """The same for a loss with a quadratic part: Newton steps on the piece that ``at`` points to."""
    n, soft = problem.n, problem.soft
    weights = at.weights.clone()
    wall = torch.zeros_like(problem.ridge)
    sign = torch.zeros_like(problem.ridge)
    if problem.slope is not None:
        two = torch.ones_like(wall) if problem.all_rows[4] is None else problem.all_rows[4][n:]
        spread = at.up[n:] / at.above[n:] + two * at.down[n:] / at.below[n:]
        size = max(float(weights[:-1].abs().mean()), 1e-4 * mean_size(problem, problem.kink))
        zero = spread * (problem.all_rows[3] - problem.all_rows[2])[n:] < size
        weights[:-1] = torch.where(zero, 0.0, weights[:-1])
        sign = torch.where(zero, 0.0, problem.slope * torch.sign(weights[:-1]))
        wall = torch.where(zero, 1.0, 0.0)
    for _ in range(3):
        residual = problem.apply(weights)[:n] - problem.kink
        theta = torch.minimum(torch.maximum(residual / soft, problem.low), problem.high)
        inside = (theta == residual / soft).nonzero()[:, 0]
        rows = problem.share * theta
        gradient = problem.linear + problem.quadratic(weights) + _adjoint(problem, rows)
        gradient[:-1] = torch.where(wall > 0, 0.0, gradient[:-1] + sign)
        part = problem.select(inside, problem.linear)
        curvature = part.share / soft
        if problem.slope is not None:
            curvature = torch.cat([curvature, wall * (1e12 * float(curvature.max()) if len(curvature) else 1.0)])
        if part.n == 0 and not bool((problem.ridge > 0).all()):
            break
        try:
            weights = weights - normal_equations(part, curvature)(gradient)
        except FloatingPointError:
            return None
        if not bool(torch.isfinite(weights).all()):
            return None
    residual = problem.apply(weights)[:n] - problem.kink
    return weights, torch.minimum(torch.maximum(residual / soft, problem.low), problem.high)


def _adjoint(problem: Kinks, rows: Tensor) -> Tensor:
    return problem.adjoint(rows if problem.slope is None else torch.cat([rows, torch.zeros_like(problem.slope)]))


def _solve(system: Tensor, right: Tensor) -> Tensor | None:
    """A solution of the symmetric system: the smallest where there are many, or the nearest where there is none."""
    solution, info = torch.linalg.solve_ex(system, right)
    size = float(right.norm())
    if int(info) == 0 and float((system @ solution - right).norm()) <= 1e-10 * size and bool(
        solution.abs().max() < 1e8 * (1 + right.abs().max())
    ):
        return solution
    driver = "gelsd" if right.device.type == "cpu" else "gels"
    solution = torch.linalg.lstsq(system, right[:, None], rcond=1e-13, driver=driver).solution[:, 0]
    return solution if bool(torch.isfinite(solution).all()) else None
