"""A mend, tried: the person's own recipe on the mended problem, and that problem's certified optimum."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

import torch
from torch import Tensor

from sightline.certificate import Verdict
from sightline.check.finding import Outcome, Tried
from sightline.check.recovering.recovered import Recovered
from sightline.objective import Weights
from sightline.recipes.minimised import Minimised

SECONDS = 4.0  # of the person's own recipe with the mend
MOST_STEPS = 20_000
NOTHING = 1e-9  # of the best constant's loss: an optimum that is lower is that of exact data


def outcome(problem: Minimised, weights: Weights, dtype: torch.dtype = torch.float64) -> Outcome:
    """Where weights stand in a problem: loss in the script's own units, accuracy, proven relative gap."""
    certificate = problem.certificate(weights, dtype)
    loss = problem.in_own_units(problem.objective.value(weights))
    known = certificate.verdict is not Verdict.NO_MINIMUM and math.isfinite(certificate.gap)
    gap = relative(certificate.gap, certificate.value, problem.objective.null_value) if known else None
    return Outcome(loss, accuracy(problem, weights), gap, certified=known)


def relative(gap: float, value: float, null: float) -> float:
    """The gap as a share of the optimum; of the best constant's loss where the optimum is next to nothing beside"
    " that."""
    optimum = value - gap
    return gap / optimum if optimum > NOTHING * null else gap / max(null, 1e-300)


def accuracy(problem: Minimised, weights: Weights) -> float | None:
    """Share of rows on the right side; None for losses that are not of classes."""
    loss, data = problem.objective.loss, problem.objective.data
    if loss.targets not in ("binary", "classes") or getattr(loss, "soft", False):
        return None
    z = problem.objective.scores(weights)
    right = (z * data.y > 0) if z.ndim == 1 else z.argmax(1) == (data.y.argmax(1) if data.y.ndim > 1 else data.y)
    weight = torch.ones(len(right), dtype=torch.float64) if data.weight is None else data.weight
    return float((right.double() * weight).sum() / weight.sum())


def optimum(problem: Minimised) -> tuple[Outcome, str]:
    """The optimum's outcome, and the certificate's sentence where there is none."""
    solution = problem.solution
    if solution.certificate.verdict is Verdict.NO_MINIMUM:
        witness = solution.certificate.witness
        text = solution.certificate.verdict.sentence
        if witness is not None and witness.rows:
            text = f"{text} {witness.text}".strip()
        best = Outcome(0.0 if witness and witness.separation == "complete" else None,
                       accuracy(problem, problem.optimum), None)  # fmt: skip
        return best, text
    return outcome(problem, problem.optimum), ""


def attempt(
    training: Recovered, problem: Minimised | str, what: str, *, lr: float | None = None, standardised: bool = False,
    own_recipe: bool = True, steps: int | None = None,
) -> Tried | None:
    """Try a mend: the training's own recipe on the mended problem, then the problem's optimum; None where it is none.

    problem : the mended problem (``training.problem(...)``, or ``training.minimised`` where the recipe is at fault).
    lr : another learning rate.  standardised : columns to mean 0 and variance 1 first.  own_recipe : run it at all.
    steps : another number of steps.
    """
    if isinstance(problem, str):
        return None
    before = _before(training, problem)
    after = None
    if own_recipe:
        with contextlib.suppress(Exception):
            after, made, wanted = _own_recipe(training, problem, lr, standardised, steps)
            if made < wanted:
                what = f"{what} (ended here after {made:,} of {wanted:,} steps)"
    best, none = optimum(problem)
    return Tried(what, before, after, best, none)


def _before(training: Recovered, problem: Minimised) -> Outcome:
    """The training's own weights, measured in the mended problem; its own loss where they do not fit in."""
    with contextlib.suppress(Exception):
        weights = training.weights_in(problem, training.weights)
        if bool(torch.isfinite(weights.coef).all()):
            return outcome(problem, weights, training.dtype)
    losses = training.stretch.losses
    return Outcome(losses[-1] if losses else None)


def _own_recipe(
    training: Recovered, problem: Minimised, lr: float | None, standardised: bool, steps: int | None
) -> tuple[Outcome | None, int, int]:
    """The person's optimizer, learning rate and batches on the mended problem: (end, steps made, steps wanted)."""
    objective = problem.objective
    X = objective.data.design.to_dense().double()
    y = objective.data.y
    mean, scale = torch.zeros(X.shape[1], dtype=torch.float64), torch.ones(X.shape[1], dtype=torch.float64)
    if standardised:
        deviation = X.std(0, unbiased=False)
        scale = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
        mean = X.mean(0) if objective.intercept else mean
    rows = (X - mean) / scale
    outputs = objective.outputs or 1
    weight = torch.zeros(outputs, X.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(outputs, dtype=torch.float64, requires_grad=objective.intercept)
    trained = [weight, bias] if objective.intercept else [weight]
    optimizer = _optimizer(training, trained, lr)
    n = len(X)
    size = _batch_size(training, n)
    wanted = steps or training.stretch.counts.get("step", 0) or training.stretch.backwards
    made = 0
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(n, generator=generator)
    row_weight = objective.data.weight
    place, begun = 0, time.perf_counter()

    def loss_of(pick: Tensor | None) -> Tensor:
        z = (rows if pick is None else rows[pick]) @ weight.T + bias
        target = y if pick is None else y[pick]
        z = z[:, 0] if objective.outputs is None else z
        values = objective.loss.value(z, target)
        if row_weight is not None:
            values = values * (row_weight if pick is None else row_weight[pick])
        penalty = objective.penalty
        extra = 0.5 * penalty.l2 * (weight / scale).square().sum() + penalty.l1 * (weight / scale).abs().sum()
        return problem.factor * (values.mean() + extra + 0.5 * objective.bias_strength * bias.square().sum())

    for _ in range(min(wanted, MOST_STEPS)):
        if size >= n:
            pick = None
        else:
            if place + size > n:
                order, place = torch.randperm(n, generator=generator), 0
            pick = order[place : place + size]
            place += size

        def closure(pick: Tensor | None = pick) -> Tensor:
            optimizer.zero_grad()
            value = loss_of(pick)
            value.backward()
            return value

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
        made += 1
        if time.perf_counter() - begun > SECONDS:
            break
    coef = (weight / scale).detach()
    b = (bias - coef @ mean).detach()
    found = Weights(coef[0], b[0]) if objective.outputs is None else Weights(coef.T.contiguous(), b)
    return (outcome(problem, found) if bool(torch.isfinite(coef).all()) else None), made, wanted


def _optimizer(training: Recovered, trained: list[Tensor], lr: float | None) -> Any:
    """Another of the person's own kind, without its weight decay (which is in the problem), or plain descent."""
    seen = training.stretch.optimizers
    if not seen:
        return torch.optim.SGD(trained, lr=lr if lr is not None else (learning_rate(training) or 0.1))
    own = seen[0].optimizer
    known = own.param_groups[0].items()
    options = {k: v for k, v in known if k in own.defaults and k not in ("params", "weight_decay")}
    if lr is not None:
        options["lr"] = lr
    if "weight_decay" in own.defaults and own.defaults["weight_decay"] == 0:
        options["weight_decay"] = 0.0
    return type(own)(trained, **options)


def learning_rate(training: Recovered) -> float | None:
    """The step by hand over the gradient, where updates are made by hand; the optimizer's where there is one."""
    seen = training.stretch.optimizers
    if seen:
        lr = seen[0].optimizer.param_groups[0].get("lr")
        return None if lr is None else float(lr)
    beats = training.stretch.beats
    for one, two in zip(beats, beats[1:]):
        if two.number != one.number + 1:
            break
        for old, new, held in zip(one.weights, two.weights, one.after):
            if held is None or old.shape != new.shape or not bool(held.any()):
                continue
            ratio = float(((old - new) * held).double().sum() / held.double().square().sum())
            if ratio and math.isfinite(ratio):
                return ratio
    return None


def _batch_size(training: Recovered, n: int) -> int:
    rows = training.rows
    if rows is None or not rows.batches:
        return n
    return max(len(b) for b in rows.batches[:50])


__all__ = ["accuracy", "attempt", "learning_rate", "optimum", "outcome"]
