"""A recovered training as the numbers that pictures are drawn of."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import torch

from sightline.certificate import Verdict
from sightline.check.drawn import Drawn
from sightline.check.recovering.recovered import Recovered
from sightline.check.recovering.rows import WHOLE
from sightline.check.trying import learning_rate
from sightline.objective import Weights

MOST_NUMBERS = 2_000_000  # of the design matrix: pictures of more show the losses alone
MOST_LOSSES = 5_000


def drawn(training: Recovered) -> Drawn:
    """What is known of a training, for its pictures; the problem is left out where none was recovered."""
    stretch = training.stretch
    every = max(1, math.ceil(len(stretch.losses) / MOST_LOSSES))
    losses = stretch.losses[::every]
    rate = learning_rate(training)
    kind = stretch.optimizers[0].kind if stretch.optimizers else "vanilla"
    seen = Drawn(
        label=f"{kind if stretch.optimizers else 'updates by hand'}" + (f", learning rate {rate:.3g}" if rate else ""),
        losses=losses, steps=stretch.loss_at[::every],
        batches=training.rows is None or training.rows.how != WHOLE, rate=rate, optimizer=kind.lower(),
    )  # fmt: skip
    with contextlib.suppress(Exception):
        return _with_problem(training, seen)
    return seen


def _with_problem(training: Recovered, seen: Drawn) -> Drawn:
    problem, rows, stretch = training.minimised, training.rows, training.stretch
    if isinstance(problem, str) or rows is None or problem.difference or problem.objective.data.weight is not None:
        return seen
    objective = problem.objective
    if objective.n * objective.p > MOST_NUMBERS:
        return seen
    kept = [
        (step, _flat(training.weights_in(problem, training.at(weights))))
        for step, weights in stretch.path
        if all(bool(torch.isfinite(w).all()) for w in weights)
    ]
    kept.append((stretch.backwards, _flat(training.weights_in(problem, training.weights))))
    path = np.array([w for _, w in kept if np.isfinite(w).all()])
    steps = [s for s, w in kept if np.isfinite(w).all()]
    size = max((len(b) for b in rows.batches), default=rows.n)
    solution = problem.solution
    none = solution.certificate.verdict is Verdict.NO_MINIMUM
    return Drawn(
        label=seen.label, losses=seen.losses, steps=seen.steps, batches=seen.batches, rate=seen.rate,
        optimizer=seen.optimizer, loss=objective.loss, X=objective.data.design.to_dense().double().numpy(),
        y=objective.data.y.numpy(), l2=objective.penalty.l2, l1=objective.penalty.l1, bias_l2=objective.bias_strength,
        intercept=objective.intercept, factor=problem.factor, path=path, path_steps=steps,
        epochs=[s * size / rows.n for s in steps], batch=None if rows.how == WHOLE else size,
        optimum=problem.in_own_units(problem.lower_bound if none else objective.value(problem.optimum)),
        best=None if none else _flat(problem.optimum), certificate=solution.certificate, no_minimum=none,
    )  # fmt: skip


def _flat(weights: Weights) -> np.ndarray:
    return weights.flat().double().numpy()
