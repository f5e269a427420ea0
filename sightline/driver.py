"""The driver: choose a solver, step it, stop it, record it, interrupt it -> Result."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sightline.certificate import Certificate
from sightline.data import make_data
from sightline.losses import Loss, as_loss
from sightline.objective import Objective, Weights, problem, weights_from
from sightline.penalties import Penalty
from sightline.result import Result
from sightline.run import Run, Solution
from sightline.solvers.base import Solver, Step
from sightline.threads import over_rows

if TYPE_CHECKING:
    from sightline.constraints.rates import Constraint


class ConvergenceWarning(UserWarning):
    """A fit did not end at a proven optimum; the message has the verdict and the number."""


def fit(
    X: Any,
    y: Any = None,
    *,
    loss: str | Loss,
    penalty: str | Penalty | None = None,
    strength: float | None = None,
    C: float | None = None,
    l1_ratio: float | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    fit_intercept: bool = True,
    classes: Sequence[Any] | None = None,
    columns: Sequence[str] | None = None,
    solver: str | Solver = "auto",
    tol: float = 1e-6,
    max_iter: int | None = None,
    time_limit: float | None = None,
    start: tuple[Any, Any] | None = None,
    callback: Callable[[int, Step], bool | None] | None = None,
    warn: bool = True,
    subject_to: Sequence[Constraint] | None = None,
    delta: float | None = 0.05,
    held_out: float = 0.5,
    seed: int = 0,
) -> Result:
    """Fit a linear model to its proven optimum.

    Minimises  Σ s_i loss(x_i·w + b + offset_i, y_i) + penalty(w),  s_i = weight_i / Σ weight;  b is never penalised.

    Parameters
    ----------
    X : (n, p) tensor (any device), array, frame, SciPy sparse matrix.  y : (n,) target.
    loss : 'squared', 'logistic', 'softmax', 'hinge', 'squared_hinge', 'huber', 'poisson', 'quantile', or a ``Loss``.
    penalty : None, 'l2', 'l1', 'elasticnet' with ``strength`` (or ``C`` = 1 / (strength · Σ weight), scikit-learn's),
        or ``L2(s)``, ``L1(s)``, ``ElasticNetPenalty(s, l1_ratio)``; 'firth' or ``Firth()`` for bias-reduced logistic
        regression, whose verdict is STATIONARY.
    sample_weight : (n,) >= 0.  class_weight : 'balanced' or {label: weight}.  offset : (n,) added to the scores.
    classes : all labels where y may lack some.  columns : names of the columns.
    solver : 'auto' or a name in ``sightline.solvers.choice.SOLVERS``.
    tol : relative gap to the optimum that must be proven.
    max_iter, time_limit (seconds) : stop earlier; the verdict then is INACCURATE and the gap what was reached.
    start : (weight, bias) to start from, shapes (K, p) and (K,).
    callback : called with (step number, Step) after every step; returning True stops the fit (INTERRUPTED).
    warn : raise a ``ConvergenceWarning`` when the verdict is neither OPTIMAL nor NOT_UNIQUE.
    subject_to : constraints on rates, such as ``[sl.recall() >= 0.9]``; the result is then a ``ConstrainedResult``.
        ``time_limit`` is that of the search for the exact solution; delta, held_out, seed : the guarantee for new
        data, see ``sightline.constraints.fitting.fit_constrained``.

    Returns
    -------
    Result.  Ctrl-C ends the fit with the best weights so far and the verdict INTERRUPTED.

    Raises
    ------
    DataError : the data cannot be fitted.  ValueError : an argument is wrong.
    """
    loss = as_loss(loss)
    data = make_data(
        X, y, loss, sample_weight=sample_weight, class_weight=class_weight, offset=offset, columns=columns,
        classes=classes,
    )
    objective = problem(data, loss, penalty, strength, C, l1_ratio, fit_intercept)
    if subject_to is not None:
        from sightline.constraints.fitting import fit_constrained

        constrained = fit_constrained(
            objective, subject_to, sample_weight=sample_weight, tol=tol, time_limit=time_limit, delta=delta,
            held_out=held_out, seed=seed, callback=callback,
        )  # fmt: skip
        if warn:
            warn_unless_optimal(constrained.certificate)
        return constrained
    begin = None if start is None else weights_from(objective, start)
    solution = solve(
        objective, solver=solver, tol=tol, max_iter=max_iter, time_limit=time_limit, start=begin, callback=callback
    )
    if warn:
        warn_unless_optimal(solution.certificate)
    return to_result(objective, solution)


def to_result(objective: Objective, solution: Solution, **extra: Any) -> Result:
    """The public result of a solved problem."""
    design, data = objective.data.design, objective.data
    weights = solution.weights
    coef = weights.coef[None] if weights.coef.ndim == 1 else weights.coef.T.contiguous()
    return Result(
        weight=coef.to(design.dtype),
        bias=weights.intercept.reshape(-1).to(design.dtype),
        certificate=solution.certificate,
        loss=objective.loss,
        penalty=objective.penalty,
        fit_intercept=objective.intercept,
        classes=data.classes,
        columns=data.columns,
        solver=solution.solver,
        n_iter=solution.n_iter,
        rows=data.n,
        total_weight=data.total_weight,
        trace=solution.trace,
        extra=extra,
    )


def solve(
    objective: Objective,
    *,
    solver: str | Solver = "auto",
    tol: float = 1e-6,
    max_iter: int | None = None,
    time_limit: float | None = None,
    start: Weights | None = None,
    callback: Callable[[int, Step], bool | None] | None = None,
    existence: bool = True,
) -> Solution:
    """Solve a problem in the user's units; ``fit`` for those who have an ``Objective``.

    ``existence=False`` leaves out the search for a direction without end where no proof is found.
    """
    if not tol > 0:
        raise ValueError(f"tol={tol}; it is the relative gap to prove and must be positive.")
    if max_iter is not None and max_iter < 1:
        raise ValueError(f"max_iter={max_iter}; it must be at least 1.")
    if objective.penalty.jeffreys:
        from sightline.firth_fit import firth_solution

        if solver != "auto":
            raise ValueError("penalty=Firth() has a method of its own; leave out solver=.")
        return firth_solution(objective, tol, max_iter, time_limit, start, callback)
    with over_rows(objective.n * objective.p):
        return _solved(Run(objective, tol, max_iter, time_limit, callback, existence), solver, start)


def _solved(run: Run, solver: str | Solver, start: Weights | None) -> Solution:
    """Choose a method, step it, and certify what is delivered."""
    from sightline.separability import separated_by_columns
    from sightline.solvers.choice import choose

    objective = run.user
    try:
        method, reason = choose(objective, solver)
        run.falling = separated_by_columns(objective) if run.may_lack else None
        if run.falling is None:
            if not method.own_coordinates:
                run.prepare()
                method, reason = choose(run.working.objective, solver)
            run.go(method, start)
        if run.falling is not None:
            return run.without_minimum(solver, start)
    except KeyboardInterrupt:
        run.stopped = "interrupted"
        reason = "interrupted"
    return run.finish(reason)


def warn_unless_optimal(certificate: Certificate, category: type[Warning] = ConvergenceWarning) -> None:
    """Warn, with the number, exactly when the weights are not proven optimal (or, with Firth's penalty, stationary)."""
    if not certificate.ended:
        warnings.warn(str(certificate), category, stacklevel=3)
