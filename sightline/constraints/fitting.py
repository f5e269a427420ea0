"""A fit with constraints on rates, from the objective to the five answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sightline.certificate import Certificate, Verdict
from sightline.constraints import exact as exact_search
from sightline.constraints.budgets import Array, holds, measured
from sightline.constraints.guarantee import Guarantee, guarantee
from sightline.constraints.interior import Solved, Watch, solve
from sightline.constraints.problem import Problem, make_problem, one_score
from sightline.constraints.proxy import Proxy, optimum
from sightline.constraints.rates import Constraint
from sightline.constraints.result import ConstrainedResult, ConstraintReport, Way
from sightline.data import DataError
from sightline.objective import Objective, Weights
from sightline.trace import Trace

SECONDS = 30.0  # of the search for the exact solution, where no limit is given
FOLDS = 5
LARGE = 4_000_000  # rows · columns beyond which the exact search looks for a solution only if asked to


class _Talk:
    """What is said while it runs: to a callback with ``stage`` (a ``Progress``), or to a plain one."""

    def __init__(self, callback: Any) -> None:
        self.callback, self.number, self.stopped = callback, 0, False

    def stage(self, what: str) -> bool:
        """Say what is being done; whether to stop."""
        if hasattr(self.callback, "stage"):
            self.callback.stage(what)
        elif self.callback is not None:
            from sightline.solvers.base import Step

            step = Step(Weights(torch.zeros(0), torch.zeros(())), math.nan, math.nan)
            self.stopped = self.stopped or bool(self.callback(self.number, step))
        self.number += 1
        return self.stopped

    def watch(self, what: str) -> Watch:
        """The same for a solver's steps."""
        return lambda step, w, value, bound: self.stage(
            f"{what}: step {step} · objective {value:.6g} · proven within {value - bound:.1e}"
        )


def fit_constrained(
    objective: Objective,
    subject_to: Sequence[Constraint],
    *,
    sample_weight: Any = None,
    tol: float = 1e-6,
    time_limit: float | None = None,
    delta: float | None = 0.05,
    held_out: float = 0.5,
    seed: int = 0,
    callback: Callable[..., Any] | None = None,
) -> ConstrainedResult:
    """Least loss under constraints on rates: ``fit(subject_to=...)`` for those who have an ``Objective``.

    objective : of a logistic, hinge or squared hinge loss, or of the softmax loss of two classes, which is the logistic
    one of the difference of its scores; without penalty, or with L1, L2 or both.
    subject_to : constraints such as ``sl.recall() >= 0.9``.  sample_weight : (n,) as given to ``fit``, by which rates
    count rows.  time_limit : seconds for the search for the exact solution, 30 by default; 0 leaves it out.
    delta : probability with which the guarantee for new data may be broken; None for no guarantee.
    held_out : share of the rows that the guarantee holds out.  seed : which ones.

    Raises
    ------
    ValueError, TypeError, DataError : as ``make_problem``; delta or held_out outside of (0, 1).
    """
    _check(delta, held_out, time_limit)
    objective = one_score(objective)
    counted, kept = _counted(sample_weight, objective.n)
    problem = make_problem(objective, subject_to, counted, kept)
    talk = _Talk(callback)
    begun = time.perf_counter()
    free = solve(problem.losses.free(), tol=1e-10, watch=talk.watch("without constraints"))
    proxy = optimum(problem.losses, problem.budgets, watch=talk.watch("convex proxy"))
    found = _search(problem, free, proxy, time_limit, talk)
    given = guaranteed = None
    if delta is not None:
        talk.stage("a guarantee for new data")
        given, guaranteed = new_data(problem, delta, held_out, seed, talk)
    report = _report(problem, free, proxy, found, given, guaranteed)
    weights, certificate = _delivered(problem, free, proxy, found, report.delivered, tol, talk.stopped)
    trace = Trace()
    trace.append(certificate.value, certificate.gap, math.nan, time.perf_counter() - begun)
    data = objective.data
    return ConstrainedResult(
        weight=weights.coef[None], bias=weights.intercept.reshape(1), certificate=certificate, loss=objective.loss,
        penalty=objective.penalty, fit_intercept=objective.intercept, classes=data.classes, columns=data.columns,
        solver="interior point: constraints on rates"
        + ("; branch and bound: the true rates" if report.delivered == "exact" else ""),
        n_iter=found.nodes + (proxy.solved.steps if proxy.solved else 0), rows=data.n, total_weight=data.total_weight,
        trace=trace, extra={"constraints": report.to_dict()}, constraints=report, problem=problem,
    )  # fmt: skip


def _check(delta: float | None, held_out: float, time_limit: float | None) -> None:
    if delta is not None and not 0 < delta < 1:
        raise ValueError(f"delta={delta}; it is a probability between 0 and 1, such as 0.05, or None for no guarantee.")
    if not 0 < held_out < 1:
        raise ValueError(f"held_out={held_out}; it is a share of the rows between 0 and 1.")
    if time_limit is not None and not time_limit >= 0:
        raise ValueError(f"time_limit={time_limit}; it is a number of seconds, not below zero.")


def _counted(sample_weight: Any, n: int) -> tuple[Array | None, Array | None]:
    """Weights by which rates count the rows that are left, and which of the given rows those are."""
    if sample_weight is None:
        return None, None
    weight = sample_weight.detach().cpu().numpy() if hasattr(sample_weight, "detach") else np.asarray(sample_weight)
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim == 0:
        return np.full(n, float(weight)), None
    kept = weight > 0
    return weight[kept], None if kept.all() else kept


def _search(
    problem: Problem, free: Solved, proxy: Proxy, time_limit: float | None, talk: _Talk
) -> exact_search.Exact:
    starts = [free.w] + ([] if proxy.solved is None else [proxy.solved.w])
    design = problem.objective.data.design
    seconds = SECONDS if time_limit is None else time_limit
    if time_limit is None and design.n * design.p > LARGE:
        seconds = 0.0
    found = exact_search.search(problem.losses, problem.budgets, starts, seconds=seconds, report=talk.stage)
    talk.stopped = talk.stopped or found.stopped == exact_search.INTERRUPTION
    # The optimum without constraints, and where it is known nothing else, bounds every solution.
    if found.bound < free.bound:
        found = replace(found, bound=free.bound)
    if found.value < found.bound:
        found = replace(found, bound=found.value)
    return found


def _rates(problem: Problem, weights: Weights) -> tuple[float, ...]:
    h = problem.scores(weights) > 0
    return tuple(measured(c, problem.coded, h) for c in problem.constraints)


def _way(problem: Problem, w: Array, bound: float, note: str = "") -> Way:
    weights = problem.to_user(w)
    value = problem.objective.value(weights)
    return Way(weights.coef[None], weights.intercept.reshape(1), value, bound, _rates(problem, weights), note)


def _report(
    problem: Problem, free: Solved, proxy: Proxy, found: exact_search.Exact, given: Guarantee | None,
    guaranteed: Way | None,
) -> ConstraintReport:
    multipliers = np.zeros(len(problem.constraints))
    np.add.at(multipliers, problem.budgets.owner, proxy.multipliers)
    if proxy.solved is None:
        note = f"Weighted by their multipliers they are exceeded by at least {proxy.excess:.4g} in sum."
        by_hinge = Way(None, None, math.inf, math.inf, (), note)
    else:
        by_hinge = _way(problem, proxy.solved.w, proxy.solved.bound)
    if found.w is not None:
        stopped = f"The search was ended by {found.stopped} after {found.nodes} nodes." if found.stopped else ""
        if not found.nodes:
            stopped = "Only thresholds were tried; time_limit gives a search its seconds."
        true = _way(problem, found.w, found.bound, stopped or f"{found.nodes} nodes.")
    else:
        ended = f", ended by {found.stopped}." if found.stopped else "."
        note = f"{found.nodes} nodes in {found.seconds:.1f} s{ended}"
        true = Way(None, None, math.inf, found.bound, (), note)
    attained: tuple[float, ...] = ()
    if found.w is None:
        attained = _attained(problem, [free.w] + ([] if proxy.solved is None else [proxy.solved.w]))
    delivered = "exact" if found.w is not None else "proxy" if proxy.solved is not None else "free"
    at_free = problem.to_user(free.w)
    return ConstraintReport(
        tuple(str(c) for c in problem.constraints), problem.objective.value(at_free), _rates(problem, at_free),
        by_hinge, tuple(float(v) for v in multipliers), true, given, guaranteed, attained, delivered,
    )  # fmt: skip


def _attained(problem: Problem, starts: list[Array]) -> tuple[float, ...]:
    """The best level of each constraint at any threshold of the given weights where the others hold; NaN for none."""
    levels = []
    scores = [problem.losses.scores(w) for w in starts]
    for k, constraint in enumerate(problem.constraints):
        best = math.nan
        others = [c for j, c in enumerate(problem.constraints) if j != k]
        for z in scores:
            for t in np.unique(np.quantile(z, np.linspace(0, 1, 201))):
                h = z > t
                if all(holds(c, measured(c, problem.coded, h)) for c in others):
                    rate = measured(constraint, problem.coded, h)
                    if not math.isnan(rate):
                        larger = constraint.sense == ">="
                        best = rate if math.isnan(best) else max(best, rate) if larger else min(best, rate)
        levels.append(best)
    return tuple(levels)


def _delivered(
    problem: Problem, free: Solved, proxy: Proxy, found: exact_search.Exact, which: str, tol: float, stopped: bool
) -> tuple[Weights, Certificate]:
    """The weights and their certificate."""
    verdict, method = Verdict.INACCURATE, "duality gap"
    if which == "exact":
        assert found.w is not None
        w, bound, method = found.w, found.bound, "branch and bound"
    elif which == "proxy":
        assert proxy.solved is not None
        w, bound = proxy.solved.w, found.bound if found.infeasible else proxy.solved.bound
    else:
        w, bound = free.w, free.bound
    weights = problem.to_user(w)
    value = problem.objective.value(weights)
    gap = max(value - bound, 0.0) if math.isfinite(bound) else 0.0
    scale = max(abs(value), 1e-300)
    if found.infeasible:
        verdict = Verdict.INFEASIBLE
    elif which != "free" and gap <= tol * scale:
        verdict = Verdict.OPTIMAL
    elif stopped:
        verdict = Verdict.INTERRUPTED
    return weights, Certificate(verdict, value, gap, scale, tol, method)


# ---------------------------------------------------------------------------------------------------- new data


def new_data(problem: Problem, delta: float, held_out: float, seed: int, talk: _Talk) -> tuple[Guarantee, Way | None]:
    """The guarantee and its weights: from a part of the rows, with a threshold from the others."""
    weight = problem.coded.weight
    if not np.all(weight == weight[0]):
        reason = "it counts rows, and these have weights that differ; it is made without sample_weight."
        return Guarantee("none", delta, None, (), reason), None
    draw = np.random.RandomState(seed)
    rows = draw.permutation(problem.objective.n)
    cut = round(len(rows) * (1 - held_out))
    before, held = np.sort(rows[:cut]), np.sort(rows[cut:])
    try:
        part = problem.take(before)
        w = _direction(part, talk)
        rest = problem.coded.take(held)
        given = guarantee(
            problem.constraints, (part.coded, part.scores(w)), (rest, _scores(problem, w, held)), delta
        )
    except DataError as error:
        return Guarantee("none", delta, None, (), f"the rows are too few to hold some of them out: {error}"), None
    if given.holds:
        assert given.threshold is not None
        return given, _moved(problem, w, given.threshold)
    if any(p.rows < p.least for p in given.proofs):
        return _out_of_fold(problem, given, seed, talk)
    return given, None


def _scores(problem: Problem, w: Weights, rows: Array) -> Array:
    return problem.scores(w)[rows]


def _moved(problem: Problem, w: Weights, threshold: float) -> Way:
    moved = Weights(w.coef, w.intercept - threshold)
    return Way(
        moved.coef[None], moved.intercept.reshape(1), problem.objective.value(moved), -math.inf, _rates(problem, moved)
    )


def _direction(part: Problem, talk: _Talk) -> Weights:
    """Of the optimum without constraints and the proxy's, the one that is right more often on its own rows at the
    thresholds that keep the rates there."""
    free = solve(part.losses.free(), tol=1e-8, watch=talk.watch("guarantee, without constraints"))
    candidates = [free.w]
    proxy = optimum(part.losses, part.budgets, tol=1e-8, watch=talk.watch("guarantee, convex proxy"))
    if proxy.solved is not None:
        candidates.append(proxy.solved.w)
    y = part.coded.positive
    best, most = free.w, -1.0
    for w in candidates:
        z = part.losses.scores(w)
        if not np.ptp(z) > 0:
            continue
        for t in np.unique(np.quantile(z, np.linspace(0, 1, 101))):
            h = z > t
            right = float((h == y).mean()) if part.budgets.kept(h) else -1.0
            if right > most:
                best, most = w, right
    return part.to_user(best)


def _out_of_fold(problem: Problem, given: Guarantee, seed: int, talk: _Talk) -> tuple[Guarantee, Way | None]:
    """Thresholds from scores of models that did not see the row: better than nothing, and no proof."""
    n = problem.objective.n
    fold = np.random.RandomState(seed).permutation(n) % FOLDS
    scores = np.zeros(n)
    try:
        for k in range(FOLDS):
            w = _direction(problem.take(np.flatnonzero(fold != k)), talk)
            scores[fold == k] = _scores(problem, w, np.flatnonzero(fold == k))
        whole = _direction(problem, talk)
        pooled = guarantee(problem.constraints, (problem.coded, scores), (problem.coded, scores), given.delta)
    except DataError:
        return given, None
    if pooled.threshold is None:
        return given, None
    estimated = replace(given, kind="out of fold", threshold=pooled.threshold, ceiling="")
    way = _moved(problem, whole, pooled.threshold)
    return estimated, replace(way, rates=tuple(p.rate for p in pooled.proofs))
