"""The end of a training: which convex problem it was solving, and how far from its optimum it stopped."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sightline.affine import quiet
from sightline.certificate import Certificate, Verdict
from sightline.driver import ConvergenceWarning
from sightline.penalties import NONE
from sightline.recipes.checks import broadcasts
from sightline.recipes.judging import LateJudge, LinearJudge, ModuleJudge
from sightline.recipes.linear import LinearMap, linear_map, own_copy
from sightline.recipes.loop import Job
from sightline.recipes.minimised import Minimised
from sightline.recipes.problem import Trained, find_problem, mean_rows
from sightline.recipes.recognised import linear_in_scores, recognise
from sightline.recipes.result import Training
from sightline.recipes.trace import Judge, State

CHANGED = (
    "X or y was written to after the training and before this was asked for, so the problem that was being solved is"
    " gone. Ask for the certificate before, or train on a copy."
)


def finish(job: Job, *, certify: bool, tol: float, warn: bool, beside: Sequence[Training] = ()) -> Training:
    """The result of a training that has run.

    What it was solving, and how far it came, is found when it is first asked for, so that a training costs what its
    steps cost.  What could be something else by then (a loss function, a module or a ``Dataset`` of the user's own) is
    examined here.

    beside : results of other trainings on the same rows with the same loss, whose optimum need not be found again.
    """
    early = _early(job)
    if early and warn and job.detail:
        warnings.warn(early, ConvergenceWarning, stacklevel=3)
    trained = Trained.by(job.optimizer, job.module)
    waits = _is_of_torch(job)
    ending = Ending(_as_it_is_now(job) if waits else job, trained, certify, tol, early, beside)
    job.trace.judge = LateJudge(lambda: ending.judge) if waits else ending.judge
    return Training.ended(
        ending, columns=job.columns, solver=f"recipe: {type(job.optimizer).__name__}", n_iter=job.steps,
        trace=job.trace, extra={}, module=job.module, recipe=job.recipe, stopped=job.stopped, engine=job.engine,
        seconds=job.seconds, kept=None,
    )  # fmt: skip


def _is_of_torch(job: Job) -> bool:
    """Whether all that is to be examined is PyTorch's own, and so the same later as now."""
    loss, tensors = job.loss, job.batches.tensors
    name = type(loss).__module__ if isinstance(loss, nn.Module) else getattr(loss, "__module__", "")
    return (
        name in ("torch.nn.modules.loss", "torch.nn.functional", "sightline.recipes.named_losses")
        and tensors is not None and not any(t.is_inference() for t in tensors)
        and not isinstance(job.recipe.optimizer, torch.optim.Optimizer)
        and all(_is_plain(part) for part in job.module.modules())
    )  # fmt: skip


def _is_plain(part: nn.Module) -> bool:
    hooked = part._forward_hooks or part._forward_pre_hooks
    return type(part).__module__.startswith("torch.nn.modules.") and "forward" not in vars(part) and not hooked


def _as_it_is_now(job: Job) -> Job:
    """The job with a module and a loss that nobody else holds."""
    now = copy.copy(job)
    now.module = _twin(job.module, {})
    now.loss = _twin(job.loss, {}) if isinstance(job.loss, nn.Module) else job.loss
    now.callback = now.progress = now.keeper = now.resumed = None
    return now


def _twin(module: nn.Module, made: dict[int, Any]) -> nn.Module:
    """A copy of one of PyTorch's modules, with tensors of its own: a tenth of what ``deepcopy`` costs.

    made : what was copied already, by ``id``.
    """
    twin = object.__new__(type(module))
    made[id(module)] = twin
    own = dict(vars(module))
    for kind in ("_parameters", "_buffers", "_modules"):
        own[kind] = {name: _copied(part, made) for name, part in own[kind].items()}
    vars(twin).update(own)
    return twin


def _copied(part: Any, made: dict[int, Any]) -> Any:
    if part is None or id(part) in made:
        return made.get(id(part))
    if isinstance(part, nn.Module):
        return _twin(part, made)
    value = part.detach().clone()
    made[id(part)] = nn.Parameter(value, part.requires_grad) if isinstance(part, nn.Parameter) else value
    return made[id(part)]


class Ending:
    """A training's end, examined when asked: what was being solved, and how far the weights are from that."""

    def __init__(
        self, job: Job, trained: Trained, certify: bool, tol: float, early: str, beside: Sequence[Training]
    ) -> None:
        self.job, self.trained, self.certify, self.tol, self.early, self.beside = (
            job, trained, certify, tol, early, beside
        )  # fmt: skip
        self.state: State = job.snapshot()
        self.versions = self._versions()

    def _versions(self) -> list[int]:
        """How often the tensors of rows have been written to."""
        return [t._version for t in self.job.batches.tensors or () if not t.is_inference()]

    @cached_property
    def examined(self) -> tuple[dict[str, Any], LinearMap | str, Minimised | str]:
        """Fields of the ``Training``, by name; the linear map and the problem, or why there is none."""
        job = self.job
        rows = job.batches.all_rows()
        X, y = (None, None) if rows is None else (rows[0], _in_one_shape(job, *rows))
        linear, problem = _examine(job, self.trained, X, y)
        if self._versions() != self.versions:
            problem = CHANGED
        if isinstance(problem, Minimised):
            problem = replace(problem, tol=self.tol, others=self._others)
        minimised = problem if isinstance(problem, Minimised) else None
        weight, bias = _weights(linear, self.state, minimised, job)
        facts = {
            "weight": weight, "bias": bias, "minimised": minimised,
            "loss": None if minimised is None else minimised.objective.loss,
            "penalty": NONE if minimised is None else minimised.objective.penalty,
            "fit_intercept": isinstance(linear, LinearMap) and linear.has_bias,
            "classes": None if minimised is None else minimised.objective.data.classes,
            "rows": 0 if X is None else len(X), "total_weight": 0.0 if X is None else float(len(X)), "X": X, "y": y,
        }  # fmt: skip
        return facts, linear, problem

    @cached_property
    def certified(self) -> dict[str, Any]:
        """Certificate and sentence."""
        _, linear, problem = self.examined
        certificate: Certificate | None = None
        if isinstance(problem, Minimised) and self._versions() != self.versions:
            problem = CHANGED
        if not isinstance(problem, Minimised):
            sentence = f"No certificate: {problem}"
        elif self.certify:
            assert isinstance(linear, LinearMap)
            certificate = _certificate(problem, linear, self.state, self.job)
            sentence = f"The recipe minimises {problem.sentence}. {_meaning(certificate, problem)}"
        else:
            sentence = f"The recipe minimises {problem.sentence}. Its end was not certified (certify=False)."
        return {"certificate": certificate, "sentence": f"{self.early} {sentence}" if self.early else sentence}

    @cached_property
    def judge(self) -> Judge | None:
        """What says of recorded weights what they are worth; None where the rows cannot be had."""
        facts, linear, problem = self.examined
        known = linear if isinstance(linear, LinearMap) else None
        if isinstance(problem, Minimised):
            assert known is not None
            return LinearJudge(known, problem)
        if facts["X"] is None:
            return None
        module = None if problem == CHANGED else own_copy(self.job.module)
        return ModuleJudge(module, self.job.loss, facts["X"], facts["y"], known)

    def _others(self) -> list[Minimised]:
        """The problems of the trainings beside this one, as far as they have been asked for."""
        found = (vars(training).get("minimised") for training in self.beside)
        return [problem for problem in found if problem is not None]


def _examine(
    job: Job, trained: Trained, X: Tensor | None, y: Tensor | None
) -> tuple[LinearMap | str, Minimised | str]:
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
    sizes = job.batches.sizes
    problem = find_problem(trained, linear, job.loss, y, size, job.columns, job.batches.row_weights, sizes)
    if isinstance(problem, str):
        slopes = linear_in_scores(job.loss, y, linear.shape, linear.link, linear.dtype)
        if slopes is not None and not any(trained.decays) and _tilted(slopes, linear):
            problem = (
                "the loss is a linear function of the scores, so it has no minimum: it falls without bound, towards"
                " minus infinity, as the weights grow." + _other_end(job, y, linear)
            )
        return linear, problem
    if problem.objective.loss.name == "poisson":  # the only one that torch computes up to a constant
        weights = linear.weights(job.snapshot(), problem.difference)
        parts = [len(X)] if sizes is None or not problem.by_batch else sizes.tolist()
        with quiet(job.module):
            values = [float(job.loss(job.module(Xs), ys)) for Xs, ys in zip(X.split(parts), y.split(parts))]
        own = sum(values) / len(values)
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


def _certificate(minimised: Minimised, linear: LinearMap, state: State, job: Job) -> Certificate:
    weights = linear.weights(state, minimised.difference)
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


def _meaning(certificate: Certificate, minimised: Minimised) -> str:
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
    linear: LinearMap | str, state: State, minimised: Minimised | None, job: Job
) -> tuple[Tensor, Tensor]:
    dtype = next(job.module.parameters()).dtype
    if isinstance(linear, str):
        return torch.empty((0, 0), dtype=dtype), torch.empty(0, dtype=dtype)
    weights = linear.weights(state, minimised is not None and minimised.difference)
    coef = weights.coef[None] if weights.coef.ndim == 1 else weights.coef.T.contiguous()
    return coef.to(dtype), weights.intercept.reshape(-1).to(dtype)
