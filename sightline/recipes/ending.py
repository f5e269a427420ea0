"""The end of a training: which convex problem it was solving, and how far from its optimum it stopped."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from sightline.affine import quiet
from sightline.certificate import Certificate, Verdict
from sightline.driver import ConvergenceWarning
from sightline.penalties import NONE
from sightline.recipes.checks import broadcasts
from sightline.recipes.judging import LinearJudge, ModuleJudge
from sightline.recipes.linear import LinearMap, linear_map, own_copy
from sightline.recipes.loop import Job
from sightline.recipes.minimised import Minimised
from sightline.recipes.problem import find_problem, mean_rows
from sightline.recipes.recognised import linear_in_scores, recognise
from sightline.recipes.result import Training


def finish(job: Job, *, certify: bool, tol: float, warn: bool, solved: Iterable[Minimised] = ()) -> Training:
    """The result of a training that has run.

    solved : problems of other trainings on the same rows with the same loss, whose optimum need not be found again.
    """
    rows = job.batches.all_rows()
    X, y = (None, None) if rows is None else (rows[0], _in_one_shape(job, *rows))
    linear, problem = _examine(job, X, y)
    minimised = problem if isinstance(problem, Minimised) else None
    certificate: Certificate | None = None
    state = job.snapshot()
    if minimised is not None:
        assert isinstance(linear, LinearMap)
        minimised = replace(minimised, tol=tol)
        minimised.use(solved)
        job.trace.judge = LinearJudge(linear, minimised)
        if certify:
            certificate = _certificate(minimised, linear, job)
            sentence = f"The recipe minimises {minimised.sentence}. {_meaning(certificate, minimised, job)}"
        else:
            sentence = f"The recipe minimises {minimised.sentence}. Its end was not certified (certify=False)."
    else:
        reason = str(problem)
        sentence = f"No certificate: {reason}"
        if X is not None and y is not None:
            known = linear if isinstance(linear, LinearMap) else None
            job.trace.judge = ModuleJudge(own_copy(job.module), job.loss, X, y, known)
    early = _early(job)
    if early:
        sentence = f"{early} {sentence}"
        if warn and job.detail:
            warnings.warn(early, ConvergenceWarning, stacklevel=3)
    weight, bias = _weights(linear, state, minimised, X, job)
    return Training(
        weight=weight, bias=bias, certificate=certificate,
        loss=None if minimised is None else minimised.objective.loss,
        penalty=NONE if minimised is None else minimised.objective.penalty,
        fit_intercept=isinstance(linear, LinearMap) and linear.has_bias,
        classes=None if minimised is None else minimised.objective.data.classes,
        columns=job.columns, solver=f"recipe: {type(job.optimizer).__name__}", n_iter=job.steps,
        rows=0 if X is None else len(X), total_weight=0.0 if X is None else float(len(X)), trace=job.trace,
        module=job.module, recipe=job.recipe, X=X, y=y, minimised=minimised, sentence=sentence, stopped=job.stopped,
        engine=job.engine,
        seconds=job.seconds,
    )


def _examine(job: Job, X: Tensor | None, y: Tensor | None) -> tuple[LinearMap | str, Minimised | str]:
    """The linear map and the convex problem, or why there is none."""
    if X is None or y is None:
        reason = "the rows of the DataLoader cannot be collected into tensors, so the whole problem is not known."
        return reason, reason
    shape = _output_shape(job.module, X)
    if shape is None:
        reason = f"the outputs of {type(job.module).__name__} are not one tensor."
        return reason, reason
    linear = linear_map(job.module, X, shape)
    if isinstance(linear, str):
        return linear, linear
    size = mean_rows(len(X), job.batches.per_epoch, job.recipe.batch_size)
    problem = find_problem(job.module, linear, job.optimizer, job.loss, y, size, job.columns, job.batches.row_weights)
    if isinstance(problem, str):
        slopes = linear_in_scores(job.loss, y, linear.shape, linear.link, linear.dtype)
        decays = any(group.get("weight_decay") for group in job.optimizer.param_groups)
        if slopes is not None and not decays and _tilted(slopes, linear):
            problem = (
                "the loss is a linear function of the scores, so it has no minimum: it falls without bound, towards"
                " minus infinity, as the weights grow." + _other_end(job, y, linear)
            )
        return linear, problem
    if problem.objective.loss.name == "poisson":  # the only one that torch computes up to a constant
        weights = linear.weights(job.snapshot(), problem.difference)
        with quiet(job.module):
            own = float(job.loss(job.module(X), y))
        if math.isfinite(own):  # rates overflow where the training diverged
            ours = problem.factor * problem.objective.evaluate(weights, keep_rows=False).loss
            problem = replace(problem, constant=own - ours)
    return linear, problem


def _in_one_shape(job: Job, X: Tensor, y: Tensor) -> Tensor:
    """The targets in the shape of the outputs, where batches of a single row hid that they have another."""
    shape = _output_shape(job.module, X)
    if shape is not None and broadcasts(job.loss, torch.zeros(shape, dtype=next(job.module.parameters()).dtype), y):
        return y.reshape(shape)
    return y


def _tilted(slopes: Tensor, linear: LinearMap) -> bool:
    """Whether a loss of these slopes in the scores depends on the weights at all, beyond rounding."""
    table = slopes.reshape(linear.design.n, -1).double()
    X = linear.design.to_dense().double()
    return bool(((X.T @ table).abs() > 1e-6 * (X.T.abs() @ table.abs())).any())


def _other_end(job: Job, y: Tensor, linear: LinearMap) -> str:
    """The advice for a loss that takes logarithms of probabilities and is given scores."""
    if linear.outputs > 1 and recognise(job.loss, y, linear.shape, "log softmax", linear.dtype) is not None:
        return " It takes logarithms of probabilities: end the module in nn.LogSoftmax(1), or use nn.CrossEntropyLoss."
    return ""


def _output_shape(module: nn.Module, X: Tensor) -> tuple[int, ...] | None:
    with quiet(module):
        out = module(X[:2])
    return (len(X), *out.shape[1:]) if isinstance(out, Tensor) and out.ndim else None


def _certificate(minimised: Minimised, linear: LinearMap, job: Job) -> Certificate:
    weights = linear.weights(job.snapshot(), minimised.difference)
    certificate = minimised.certificate(weights, linear.dtype)
    early = job.stopped and not job.stopped.startswith("diverged")
    if early and certificate.verdict is Verdict.INACCURATE:
        return replace(certificate, verdict=Verdict.INTERRUPTED)
    return certificate


def _early(job: Job) -> str:
    steps = "1 step" if job.steps == 1 else f"{job.steps:,} steps"
    if job.stopped.startswith("diverged"):
        return (
            f"The training {job.stopped}: {job.detail} The weights are the last finite ones,"
            f" after {steps}."
        )
    return f"Stopped after {steps} ({job.stopped}). {job.detail}".rstrip() if job.stopped else ""


def _meaning(certificate: Certificate, minimised: Minimised, job: Job) -> str:
    """What the gap says, in the units of the recipe's own loss."""
    here, gap = minimised.in_own_units(certificate.value), minimised.factor * certificate.gap
    if certificate.verdict is Verdict.NO_MINIMUM:
        floor = minimised.in_own_units(minimised.lower_bound)
        return (
            f"That has no minimum: along a direction that is known it keeps falling, towards {floor:.4g}, as the"
            f" weights grow for ever. It is {here:.4g} now; more steps make the weights larger."
        )
    if not math.isfinite(gap):
        return "The weights are so large that its value overflows: infinitely far from its optimum."
    if certificate.optimal:
        return f"It ended at the optimum: {here:.6g}, proven within {gap:.1e}."
    best = minimised.solution.certificate
    proven = "" if best.optimal else "at most "
    optimum = minimised.in_own_units(best.value)
    part = ""
    if 0 < gap < 1e4 * optimum:
        part = f" ({100 * gap / optimum:.3g} % of it)" if gap < optimum else f" ({gap / optimum:.3g} times it)"
    return f"It ended at {here:.6g}, {proven}{gap:.3g} above the optimum {optimum:.6g}{part}."


def _weights(
    linear: LinearMap | str, state: tuple[Tensor, ...], minimised: Minimised | None, X: Tensor | None, job: Job
) -> tuple[Tensor, Tensor]:
    dtype = next(job.module.parameters()).dtype
    if isinstance(linear, str):
        return torch.empty((0, 0), dtype=dtype), torch.empty(0, dtype=dtype)
    weights = linear.weights(state, minimised is not None and minimised.difference)
    coef = weights.coef[None] if weights.coef.ndim == 1 else weights.coef.T.contiguous()
    return coef.to(dtype), weights.intercept.reshape(-1).to(dtype)
