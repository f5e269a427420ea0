"""The end of a training: which convex problem it was solving, and how far from its optimum it stopped."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sightline.affine import Affine, affine_map
from sightline.certificate import Certificate, Verdict
from sightline.data import make_data
from sightline.design_matrix import as_design
from sightline.losses import Loss, as_loss
from sightline.objective import Weights
from sightline.penalties import L2, NONE
from sightline.recipes.loop import Job
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.result import Training
from sightline.recipes.trace import State


class LinearJudge:
    """Recorded parameters of a linear module on all data."""

    def __init__(self, minimised: Minimised, module: nn.Module) -> None:
        self.minimised, self.module = minimised, module

    def weights(self, state: State) -> Weights:
        objective = self.minimised.objective
        kept = [p.detach().clone() for p in self.module.parameters()]
        _put(self.module, state)
        found = affine_map(self.module, objective.data.design, objective.outputs or 1, objective.loss.name)
        _put(self.module, tuple(kept))
        return as_weights(found, objective.outputs)

    def judge(self, state: State) -> tuple[float, float, float]:
        now = self.minimised.objective.evaluate(self.weights(state), keep_rows=False)
        return now.value, self.minimised.factor * now.loss, float(now.gradient.flat().norm())

    def lower_bound(self) -> float:
        return self.minimised.lower_bound


def _put(module: nn.Module, state: State) -> None:
    with torch.no_grad():
        for p, q in zip(module.parameters(), state):
            p.copy_(q)


def as_weights(found: Affine, outputs: int | None) -> Weights:
    if outputs is None:
        return Weights(found.weight[0].clone(), found.bias[0].clone())
    return Weights(found.weight.T.contiguous(), found.bias.clone())


def finish(job: Job, loss: Any, *, certify: bool, tol: float, warn: bool) -> Training:
    rows = job.batches.all_rows()
    assert rows is not None
    X, y = rows
    minimised = recognise(job, loss, X, y, tol)
    certificate: Certificate | None = None
    dtype = next(job.module.parameters()).dtype
    weight, bias = torch.empty(0, X.shape[1]), torch.empty(0)
    sentence = "no convex problem was recognised."
    if minimised is not None:
        objective = minimised.objective
        found = affine_map(job.module, objective.data.design, objective.outputs or 1, objective.loss.name)
        weight, bias = found.weight.to(dtype), found.bias.to(dtype)
        job.trace.judge = LinearJudge(minimised, job.module)
        if certify:
            certificate = minimised.certificate(as_weights(found, objective.outputs), dtype)
            if job.stopped and certificate.verdict is not Verdict.NO_MINIMUM:
                certificate = replace(certificate, verdict=Verdict.INTERRUPTED)
            sentence = f"{minimised.sentence} {certificate}"
    return Training(
        weight=weight, bias=bias, certificate=certificate,
        loss=None if minimised is None else minimised.objective.loss,
        penalty=NONE if minimised is None else minimised.objective.penalty,
        fit_intercept=bool(len(bias)), classes=None if minimised is None else minimised.objective.data.classes,
        columns=None, solver=f"recipe: {job.recipe.optimizer}", n_iter=job.steps, rows=len(X),
        total_weight=float(len(X)), trace=job.trace, module=job.module, recipe=job.recipe, X=X, y=y,
        minimised=minimised, sentence=sentence, stopped=job.stopped, seconds=job.trace.seconds[-1],
    )


def recognise(job: Job, loss: Any, X: Tensor, y: Tensor, tol: float) -> Minimised | None:
    """For now by type; to be replaced by what the loss computes."""
    kinds: dict[type, tuple[str, float]] = {
        nn.MSELoss: ("squared", 2.0), nn.BCEWithLogitsLoss: ("logistic", 1.0), nn.BCELoss: ("logistic", 1.0),
        nn.CrossEntropyLoss: ("softmax", 1.0), nn.NLLLoss: ("softmax", 1.0), nn.SoftMarginLoss: ("logistic", 1.0),
    }  # fmt: skip
    if isinstance(loss, str | Loss):
        ours, factor = as_loss(loss), 1.0
    elif type(loss) in kinds:
        name, factor = kinds[type(loss)]
        ours = as_loss(name)
    else:
        return None
    classes: Any = None
    if ours.targets == "binary":
        classes = (-1, 1) if bool((y < 0).any()) else (0, 1)
    target = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if classes is not None:
        target = target.long()
    try:
        data = make_data(X, target, ours, classes=classes)
        found = affine_map(job.module, as_design(X), data.outputs or 1, ours.name)
    except ValueError:
        return None
    decay = float(job.optimizer.param_groups[0].get("weight_decay", 0.0)) / factor
    all_decay = len(job.optimizer.param_groups) == 1 and found.has_bias
    objective = RecipeObjective(
        data, ours, L2(decay) if decay else NONE, found.has_bias, decay if all_decay else 0.0
    )
    return Minimised(objective, factor, f"It minimises the mean {ours} loss.", tol)


Finish = Callable[..., Training]
assert math
