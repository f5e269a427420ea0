"""``solve_concomitant``: Huber's regression with a joint scale, stopped by its certificate like any other fit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch

from sightline.bounds import EPS
from sightline.certificate import Certificate, Verdict, Witness
from sightline.data import Data
from sightline.losses import Huber
from sightline.objective import Objective, Weights
from sightline.penalties import L2, NONE
from sightline.run import Solution
from sightline.solvers.concomitant import Concomitant, JointStep
from sightline.trace import Trace
from sightline.working import Working, standardised, without_null_space


def solve_concomitant(
    data: Data,
    epsilon: float = 1.35,
    alpha: float = 1e-4,
    fit_intercept: bool = True,
    tol: float = 1e-6,
    max_iter: int | None = None,
    *,
    time_limit: float | None = None,
    start: Weights | None = None,
    callback: Callable[[int, JointStep], bool | None] | None = None,
) -> tuple[Solution, float]:
    """Minimise  Σ_i m_i (σ + H((x_i·w + b + offset_i - y_i)/σ) σ) + alpha |w|²  over w, b and σ >= 0 jointly.

    H(u) = u² for |u| < epsilon, else 2 epsilon |u| - epsilon²: scikit-learn's ``HuberRegressor`` (Owen 2007).

    Parameters
    ----------
    data : rows with a (n,) float target; m_i are its weights (1 where it has none).
    epsilon : >= 1.  alpha : >= 0, as scikit-learn's.  fit_intercept : whether b may move.
    tol : relative gap to prove.  max_iter, time_limit (seconds) : stop earlier, with the verdict INACCURATE.
    start : weights (p,) and intercept () in the user's units to start from.
    callback : called with (step number, step); returning True stops the fit (INTERRUPTED).

    Returns
    -------
    (solution, σ).  The certificate is that of the joint problem; its value and gap are the objective above divided by
    Σ m.  σ = 0 means that the minimum lies there: so many rows are fitted exactly that the scale vanishes, and the
    weights are those of least absolute deviations (scikit-learn stops at a scale of the order of 1e-15 instead).
    ``solution.solver`` says so.

    Raises
    ------
    ValueError : epsilon < 1, alpha < 0, tol <= 0, max_iter < 1, or not a finite number.
    """
    if not tol > 0:
        raise ValueError(f"tol={tol}; it is the relative gap to prove and must be positive.")
    if max_iter is not None and max_iter < 1:
        raise ValueError(f"max_iter={max_iter}; it must be at least 1.")
    if not (math.isfinite(alpha) and alpha >= 0):
        raise ValueError(f"alpha={alpha}; it must be a finite number >= 0.")
    penalty = L2(2 * alpha / data.total_weight) if alpha > 0 else NONE
    user = Objective(data, Huber(), penalty, fit_intercept)
    Concomitant(user, epsilon)
    begun = time.perf_counter()
    trace, best, lower, stopped, proven = Trace(), None, 0.0, "", False
    working, rank = Working(user), None
    problem = Concomitant(user, epsilon)
    try:
        working = standardised(user)
        if alpha == 0:
            working, rank = without_null_space(working)
        problem = Concomitant(working.objective, epsilon)
        begin = None if start is None else working.to_working(start)
        for number, step in enumerate(problem.steps(begin)):
            seconds = time.perf_counter() - begun
            trace.append(step.value, step.gap, step.gradient_norm, seconds, step.weights)
            lower = max(lower, step.value - step.gap)
            if best is None or step.value < best.value or (step.value == best.value and step.gap < best.gap):
                best = step
            if proven or step.gap <= tol * _scale(problem, step.value) * (1e-6 if _small(user) else 1):
                break
            proven = _small(user) and step.gap <= tol * _scale(problem, step.value)
            if callback is not None and callback(number, step):
                stopped = "interrupted"
                break
            if max_iter is not None and number >= max_iter:
                stopped = f"max_iter={max_iter}"
                break
            if time_limit is not None and seconds > time_limit:
                stopped = f"time_limit={time_limit:g} s"
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
    if best is None:
        best = problem.step(problem.objective.zeros())
    return _finish(user, working, problem, best, lower, tol, rank, stopped, trace)


def _small(objective: Objective) -> bool:
    """One step beyond the tolerance costs nothing worth mentioning."""
    return objective.n * objective.p <= 1_000_000


def _scale(problem: Concomitant, value: float, dtype: torch.dtype = torch.float64) -> float:
    """What the gap is relative to: see ``bounds.relative_scale``; J is linear in the residuals."""
    return max(value, math.sqrt(torch.finfo(dtype).eps) * problem.size)


def _finish(
    objective: Objective, working: Working, problem: Concomitant, best: JointStep, lower: float, tol: float,
    rank: int | None, stopped: str, trace: Trace,
) -> tuple[Solution, float]:
    """Certificate of the weights as they are delivered."""
    user, sigma, value = working.to_user(best.weights), best.sigma, best.value
    dtype = objective.data.design.dtype
    if dtype != torch.float64:
        user = Weights(user.coef.to(dtype).double(), user.intercept.to(dtype).double())
    residual = problem.residual(working.to_working(user))
    if sigma > 0 and dtype != torch.float64:
        sigma = problem.best_sigma(residual)
    value = problem.value(working.to_working(user), sigma, residual)
    gap = max(value - max(lower, best.value - best.gap), 0.0) + 4 * EPS * value
    scale = _scale(problem, value, dtype)
    deficient = rank is not None and rank < objective.p
    if gap <= tol * scale:
        verdict = Verdict.NOT_UNIQUE if deficient else Verdict.OPTIMAL
    else:
        verdict = Verdict.INTERRUPTED if stopped == "interrupted" else Verdict.INACCURATE
    witness = None
    if deficient:
        text = f"The {objective.p} columns span {rank} dimensions; the smallest coefficients were chosen."
        witness = Witness("null space", text, rank=rank, columns=objective.p)
    certificate = Certificate(verdict, value, gap, scale, tol, "duality gap, jointly in the scale", None, witness)
    text = "concomitant: Newton's method in weights and scale together"
    if sigma == 0:
        text += "; the scale is 0: enough rows are fitted exactly, the weights are those of least absolute deviations"
    text += f"; stopped by {stopped}" if stopped else ""
    return Solution(user, certificate, trace, text, max(len(trace) - 1, 0)), sigma
