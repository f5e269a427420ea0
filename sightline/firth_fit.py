"""A fit with Firth's penalty: stopping, trace, interruption, and a certificate that says what is proven."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from sightline.bounds import Bound, relative_scale
from sightline.certificate import Certificate, Verdict, Witness
from sightline.firth import Firth, Point, unpenalised
from sightline.objective import Objective, Weights
from sightline.solvers.base import Step
from sightline.trace import Trace

if TYPE_CHECKING:
    from sightline.run import Solution

STATIONARY = 1e-6  # distance from the stationary point, in standard errors, that counts as being there


def firth_solution(
    objective: Objective, tol: float, max_iter: int | None, time_limit: float | None, start: Weights | None,
    callback: Callable[[int, Step], bool | None] | None,
) -> Solution:
    """``solve`` for ``penalty=Firth()``: Newton's method on the penalised likelihood, with its exact Hessian.

    The verdict is STATIONARY where the step left is below 1e-6 standard errors and the Hessian positive definite.

    Raises
    ------
    ValueError : a loss other than the logistic, or too many rows.  DataError : dependent columns, named.

    Sources: D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80 (1993); G. Heinze and M.
    Schemper, "A solution to the problem of separation in logistic regression", Statist. Med. 21 (2002); I. Kosmidis
    and D. Firth, "Jeffreys-prior penalty, finiteness and shrinkage in binomial-response generalized linear models",
    Biometrika 108 (2021).
    """
    from sightline.run import Solution

    begun = time.perf_counter()
    trace, problem = Trace(), Firth(objective)
    stopped, best, number = "", None, 0
    try:
        lowest = problem.bound(_likelihood_bound(objective, time_limit))
        for number, point in enumerate(problem.newton(None if start is None else problem.from_user(start))):
            best = point
            weights, value = problem.to_user(point.gamma), problem.mean_form(point.value)
            norm = float(np.linalg.norm(point.gradient)) / float(problem.weight.sum())
            gap = max(value - problem.mean_form(lowest), 0.0)
            trace.append(value, gap, norm, time.perf_counter() - begun, weights)
            if callback is not None and callback(number, Step(weights, value, norm, Bound(gap, "two bounds"))):
                stopped = "interrupted"
            elif max_iter is not None and number >= max_iter:
                stopped = f"max_iter={max_iter}"
            elif time_limit is not None and time.perf_counter() - begun > time_limit:
                stopped = f"time_limit={time_limit:g} s"
            if stopped:
                break
    except KeyboardInterrupt:
        stopped = "interrupted"
    if best is None:
        best = problem.at(np.zeros(problem.q))
        assert best is not None
        lowest = problem.bound(0.0)
    certificate, weights = _certificate(problem, best, lowest, tol, stopped)
    hessian = "exact Hessian" if problem.exact else "Fisher information for the Hessian"
    by = f"; stopped by {stopped}" if stopped not in ("", "interrupted") else f"; {stopped}" if stopped else ""
    text = f"firth: Newton on the penalised likelihood, {hessian}{by}"
    return Solution(weights, certificate, trace, text, number)


def certify_firth(objective: Objective, weights: Weights, tol: float) -> Certificate:
    """The certificate of given weights: STATIONARY or INACCURATE."""
    problem = Firth(objective)
    point = problem.at(problem.from_user(weights))
    if point is None:
        return Certificate(
            Verdict.INACCURATE, math.inf, math.inf, 1.0, tol, "the information vanishes at these weights"
        )
    return _certificate(problem, point, problem.bound(_likelihood_bound(objective, None)), tol, "")[0]


def _likelihood_bound(objective: Objective, time_limit: float | None) -> float:
    """What the negative log-likelihood alone cannot go below."""
    from sightline.driver import solve

    found = solve(unpenalised(objective), tol=1e-6, time_limit=time_limit).certificate
    return max(0.0, found.lower_bound) * objective.data.total_weight


def _certificate(
    problem: Firth, point: Point, lowest: float, tol: float, stopped: str
) -> tuple[Certificate, Weights]:
    """The certificate of a point as it is delivered, in the dtype of the data."""
    objective = problem.objective
    dtype = objective.data.design.dtype
    weights = problem.to_user(point.gamma)
    if dtype != torch.float64:
        weights = Weights(weights.coef.to(dtype).double(), weights.intercept.to(dtype).double())
    here = problem.at(problem.from_user(weights)) or point
    value = problem.mean_form(here.value)
    gap = max(value - problem.mean_form(lowest), 0.0)
    left = here.errors(here.step())
    curved = here.hessian is not None and bool(np.linalg.eigvalsh(here.hessian)[0] > 0)
    allowed = max(STATIONARY if dtype == torch.float64 else 1e-3, problem.rounding(here))
    witness, verdict = None, Verdict.INTERRUPTED if stopped == "interrupted" else Verdict.INACCURATE
    if left <= allowed and not stopped:
        verdict = Verdict.STATIONARY
        kind = "a strict local maximum here (its Hessian is negative definite)" if curved else "a stationary point here"
        witness = Witness(
            "stationary point",
            f"The penalised likelihood has {kind}, and the next Newton step is {left:.0e} standard errors long. It is"
            " not concave in general, so that no point elsewhere is higher is not proven, only that one exists that is"
            " highest (Kosmidis & Firth 2021). The gap is what likelihood and prior could gain, each on its own.",
            columns=objective.p,
        )  # fmt: skip
    scale = relative_scale(unpenalised(objective), abs(value), dtype)
    method = "the likelihood's bound and the prior's"
    return Certificate(verdict, value, gap, scale, tol, method, None, witness), weights
