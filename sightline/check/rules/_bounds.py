"""Bounds on the weights that are looked after when the training is over: cut to them once, or asserted."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sightline.check.evidence import Evidence
from sightline.check.finding import Finding, Number, Outcome, Severity, Tried
from sightline.check.program import build
from sightline.check.recovering.design import flat
from sightline.check.recovering.recovered import Recovered
from sightline.check.trying import outcome
from sightline.check.watching.operations import Operation
from sightline.check.watching.places import Spot
from sightline.objective import Weights
from sightline.recipes.minimised import Minimised

CUTS = ("clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_min_", "clamp_max", "clamp_max_", "relu", "relu_")
COMPARED = ("ge", "gt", "le", "lt", "eq", "__ge__", "__gt__", "__le__", "__lt__", "__eq__", "isclose", "allclose")
BY = 1e-3  # of the largest weight, by which a bound must be broken
COSTS = 0.01  # relative rise of the loss from which on the cut weights are not the best within the bounds


@dataclass(frozen=True)
class Cut:
    """Weights of one parameter that were cut to lower and upper bounds after the last update."""

    slot: int
    lower: float
    upper: float
    outside: int
    at: Spot | None


def find(training: Recovered, evidence: Evidence) -> Finding | None:
    """Weights that are cut once, after the training, or asserted to lie where nothing holds them."""
    if training.stretch.recreated or training.scores is None:
        return None
    cut = next(_cuts(training, evidence), None)
    if cut is not None and isinstance(training.minimised, Minimised):
        return _of_cut(training, evidence, training.minimised, cut)
    return _of_assertion(evidence)


def _cuts(training: Recovered, evidence: Evidence) -> Iterator[Cut]:
    loops = _lines_of_loops(evidence)
    for call in evidence.recording.last_operations:
        if call.name not in CUTS or not call.args:
            continue
        # Where a call was made is not noted in every pass; then its name must not stand in the loop.
        lines = {node.lineno for node in evidence.calls(call.name)} if call.at is None else {call.at[1]}
        if not lines or lines & loops:
            continue
        at = call.at or (evidence.script, min(lines), "<module>")
        for s, weight in training.weights.items():
            given = call.args[0].detach()
            if given.shape != weight.shape or not (torch.equal(given, weight) or call.name.endswith("_")):
                continue
            lower, upper = _limits(call)
            outside = (given < lower - BY * given.abs().max()) | (given > upper + BY * given.abs().max())
            if bool(outside.any()):
                yield Cut(s, lower, upper, int(outside.sum()), at)


def _limits(call: Operation) -> tuple[float, float]:
    kind = call.name.rstrip("_")
    if kind == "relu":
        return 0.0, float("inf")
    one = call.args[1] if len(call.args) > 1 else None
    lower = call.kwargs.get("min", None if kind == "clamp_max" else one)
    upper = call.kwargs.get("max", one if kind == "clamp_max" else call.args[2] if len(call.args) > 2 else None)
    return (-float("inf") if lower is None else float(lower)), (float("inf") if upper is None else float(upper))


def _lines_of_loops(evidence: Evidence) -> set[int]:
    """Lines of loops in which a backward pass is made: what stands there happens at each step."""
    found: set[int] = set()
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.For | ast.While) and any(
            isinstance(n, ast.Attribute) and n.attr in ("backward", "step", "grad") for n in ast.walk(node)
        ):
            found |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def _of_cut(training: Recovered, evidence: Evidence, problem: Minimised, cut: Cut) -> Finding | None:
    linear = training.linear
    if linear is None or linear.where is None or problem.objective.outputs is not None:
        return None
    places = _coefficients(training, cut.slot)
    own = training.weights_in(problem, training.weights)
    low, high = torch.full_like(own.coef, -torch.inf), torch.full_like(own.coef, torch.inf)
    low[places], high[places] = cut.lower, cut.upper
    ends = Weights(own.coef.clamp(low, high), own.intercept)
    best, gap = _within(problem, low, high)
    had, least = problem.objective.value(ends), problem.objective.value(best)
    if not had > least * (1 + COSTS) + 1e-12:
        return None
    had, least = problem.in_own_units(had), problem.in_own_units(least)
    name = training.name(cut.slot)
    bounds = " and ".join(
        t for t in (f"at least {cut.lower:g}" if cut.lower > -torch.inf else "",
                    f"at most {cut.upper:g}" if cut.upper < torch.inf else "") if t
    )  # fmt: skip
    tried = None
    if evidence.attempt:
        before = outcome(problem, ends, training.dtype)
        before = Outcome(had, before.accuracy, (had - least) / had if had else None, gap is not None)
        after = Outcome(least, None, gap, gap is not None)
        tried = Tried(f"the least loss with {name} {bounds}", before, None, after)
    return Finding(
        rule="constraint-not-imposed",
        severity=Severity.WARNING,
        what=f"weights are cut to {bounds} after the training ({cut.outside} of them): the loss is {had:.4g} then,"
        f" within these bounds {least:.4g} can be had",
        where=evidence.place(cut.at),
        measured=Number(had, "loss of the cut weights"),
        bound=Number(least, "least within the bounds"),
        why="The training is free, and its other weights have made up for those that are cut off. Cut in every step"
        " they find the best weights within the bounds.",
        fix=f"with torch.no_grad():  # after each step\n    {name}.clamp_({_as_code(cut)})",
        tried=tried,
        weight=min(1.0, (had - least) / max(had, 1e-300)),
    )


def _as_code(cut: Cut) -> str:
    sides = (("min", cut.lower), ("max", cut.upper))
    return ", ".join(f"{side}={value:g}" for side, value in sides if np.isfinite(value))


def _coefficients(training: Recovered, slot: int) -> Tensor:
    """Which coefficients of the one output the numbers of a parameter are."""
    linear = training.linear
    assert linear is not None and linear.where is not None
    marked = {s: torch.zeros_like(w) + (1.0 if s == slot else 0.0) for s, w in training.weights.items()}
    return flat(training.program, marked, linear.slots)[linear.where[0]] > 0


def _within(problem: Minimised, low: Tensor, high: Tensor) -> tuple[Weights, float | None]:
    """The least weights within bounds, and the proven relative gap where the curvature is the same everywhere.

    With a curvature of at least m everywhere, f - f* <= |v|² / 2m, where v is the gradient without what points out of
    the bounds.
    """
    from scipy.optimize import minimize

    objective = problem.objective
    p, has_bias = len(low), objective.intercept

    def both(vector: np.ndarray) -> tuple[float, np.ndarray]:
        weights = _weights(vector)
        value = objective.evaluate(weights)
        slope = [value.gradient.coef.reshape(-1), value.gradient.intercept.reshape(1)][: 1 + has_bias]
        return float(value.value), torch.cat(slope).double().numpy()

    def _weights(vector: np.ndarray) -> Weights:
        v = torch.from_numpy(np.asarray(vector, dtype=np.float64).copy())
        return Weights(v[:p], v[p] if has_bias else torch.zeros((), dtype=torch.float64))

    lower = np.append(low.numpy(), [-np.inf] * has_bias)
    upper = np.append(high.numpy(), [np.inf] * has_bias)
    begin = np.clip(np.zeros(p + has_bias), lower, upper)
    options = {"maxiter": 5000, "maxfun": 20000, "ftol": 0.0, "gtol": 1e-12}
    done = minimize(both, begin, jac=True, method="L-BFGS-B", bounds=list(zip(lower, upper)), options=options)
    best = np.clip(done.x, lower, upper)
    value, slope = both(best)
    free = np.where((best <= lower) & (slope > 0) | (best >= upper) & (slope < 0), 0.0, slope)
    gap = None
    if objective.loss.name == "squared":
        X = objective.data.design.to_dense().double()
        A = torch.cat([X, torch.ones(len(X), 1, dtype=torch.float64)], 1) if has_bias else X
        least = float(torch.linalg.eigvalsh(A.T @ A / len(A))[0])
        if least > 0 and value > 0:
            gap = float(free @ free) / (2 * least) / value
    return _weights(best), gap


def _of_assertion(evidence: Evidence) -> Finding | None:
    """An assertion on the weights themselves that ends the script."""
    if not isinstance(evidence.error, AssertionError) or evidence.where_it_failed is None:
        return None
    line = evidence.where_it_failed.line
    for call in evidence.recording.calls.values():
        if call.at is None or call.at[1] != line or call.name not in COMPARED or not call.args:
            continue
        value = call.args[0]
        if not isinstance(value, Tensor) or len(call.args) < 2 or not _of_weights_alone(evidence, value):
            continue
        bound = call.args[1] if isinstance(call.args[1], int | float) else None
        answer = call.answer if isinstance(call.answer, Tensor) else torch.tensor(call.answer)
        if bool(answer.all()):
            continue
        wrong = value.detach()[~answer] if answer.shape == value.shape else value.detach()
        worst = float(wrong.reshape(-1)[(wrong.reshape(-1) - (bound or 0.0)).abs().argmax()])
        return Finding(
            rule="constraint-not-imposed",
            severity=Severity.ERROR,
            what=f"the weights are asserted to keep a bound that nothing in the training imposes: {worst:.4g}",
            where=evidence.where_it_failed,
            measured=Number(worst, "at the end"),
            bound=None if bound is None else Number(float(bound), "asserted"),
            why="The optimum of the loss keeps no bound that is not part of it: it must be part of the updates, or of"
            " how the weights are made.",
            fix="with torch.no_grad():  # after each step\n    w.clamp_(min=0)",
            weight=0.5,
        )
    return None


def _of_weights_alone(evidence: Evidence, value: Tensor) -> bool:
    """Whether a value is made of trained weights and of numbers, without any rows."""
    with contextlib.suppress(Exception):
        program = build(evidence.recording.last_operations, value)
        if program is not None:
            return bool(program.parameters) and all(program.values[s].numel() == 1 for s in program.inputs)
        return value.is_leaf and value.requires_grad
    return False
