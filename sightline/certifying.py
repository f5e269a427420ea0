"""``certify``: how far weights that came from anywhere are from the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from sightline.affine import Affine, affine_map
from sightline.bounds import EPS, relative_scale
from sightline.certificate import Certificate, Verdict
from sightline.data import Data, make_data
from sightline.driver import solve
from sightline.losses import Loss, as_loss
from sightline.objective import Objective, Weights, problem
from sightline.penalties import Penalty
from sightline.result import Result
from sightline.run import Solution

SMALLEST = 1 + 1e-6  # weights are the smallest of the optimal ones if no more than so much larger


def certify(
    model: Any,
    X: Any,
    y: Any,
    *,
    loss: str | Loss | None = None,
    penalty: str | Penalty | None = None,
    strength: float | None = None,
    C: float | None = None,
    l1_ratio: float | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    offset: Any = None,
    fit_intercept: bool | None = None,
    classes: Sequence[Any] | None = None,
    columns: Sequence[str] | None = None,
    tol: float = 1e-6,
    time_limit: float | None = None,
) -> Certificate:
    """The certificate of weights that came from anywhere: their objective and a proven bound on its distance from the
    optimum, which is found in passing.

    Parameters
    ----------
    model : one of
        an ``nn.Module`` whose scores are an affine function of the rows of X: ``nn.Linear``, ``nn.Sequential`` of
        layers, a class with its own ``forward``.  A last Sigmoid, Softmax or LogSoftmax is undone (and an exponential
        for the Poisson loss): the losses are functions of the scores before it.  Its state, mode and the random
        numbers are left as they were;
        a tensor or array: (p,), (K, p), or with the bias as one column more; a pair (weight, bias); a state dict of
        one layer;
        a ``Result``, or a fitted estimator with ``coef_`` and ``intercept_``, scikit-learn's or Sightline's.
    X, y, sample_weight, class_weight, offset, classes, columns : the problem's data, as ``fit`` takes them.
    loss, penalty, strength, C, l1_ratio : the problem, as ``fit`` takes it.  A ``Result`` brings its own.
    fit_intercept : whether the intercept may move; by default, whether the model has one.
    tol : relative gap up to which the verdict is OPTIMAL.  time_limit : seconds for finding the optimum.

    Two outputs, as a two-class softmax has, count for the logistic loss as the score z₁ - z₀.

    Returns
    -------
    Certificate.  OPTIMAL within ``tol``; INACCURATE beyond, ``gap`` says by how much; NO_MINIMUM where there is no
    optimum, with the gap to the infimum.

    Raises
    ------
    DataError : the data cannot be used.  ValueError : the model does not fit the data, is not linear, or holds NaN;
        the message names both shapes, or the weight.
    """
    if isinstance(model, Result):
        given = penalty is not None or strength is not None or C is not None
        loss = model.loss if loss is None else loss
        penalty = penalty if given else model.penalty
        classes = model.classes if classes is None else classes
        fit_intercept = model.fit_intercept if fit_intercept is None else fit_intercept
    if loss is None:
        raise ValueError("say which loss the weights are to be judged by: loss='logistic', 'softmax', 'squared', ...")
    loss = as_loss(loss)
    if classes is None and loss.targets in ("binary", "classes") and hasattr(model, "classes_"):
        classes = list(model.classes_)
    data = make_data(
        X, y, loss, sample_weight=sample_weight, class_weight=class_weight, offset=offset, columns=columns,
        classes=None if loss.targets not in ("binary", "classes") else classes,
    )
    wanted = data.outputs or 1
    found = affine_map(model, data.design, wanted, loss.name)
    _check_finite(found, data)
    found = _matched(found, wanted, loss, data)
    if fit_intercept is None:
        fit_intercept = found.has_bias
    if not fit_intercept and bool(found.bias.any()):
        raise ValueError(
            f"the model has the bias {found.bias.tolist()}, but the problem is without intercept (fit_intercept=False)."
        )
    objective = problem(data, loss, penalty, strength, C, l1_ratio, fit_intercept)
    return certify_weights(objective, _weights(found, objective), found.dtype, tol, time_limit)


def certify_weights(
    objective: Objective, weights: Weights, dtype: torch.dtype = torch.float64, tol: float = 1e-6,
    time_limit: float | None = None,
) -> Certificate:
    """The certificate of weights in the user's units; ``certify`` for those who have an ``Objective``."""
    if objective.penalty.jeffreys:
        from sightline.firth_fit import certify_firth

        return certify_firth(objective, weights, tol)
    good = objective.value(weights) < objective.null_value
    solution = solve(objective, tol=max(tol / 8, 1e-13), start=weights if good else None, time_limit=time_limit)
    return beside(objective, weights, solution, dtype, tol)


def beside(objective: Objective, weights: Weights, solution: Solution, dtype: torch.dtype, tol: float) -> Certificate:
    """The certificate of weights beside the optimum, which is known."""
    value, best = objective.value(weights), solution.certificate
    gap = max(value - best.lower_bound, 0.0) + 4 * EPS * abs(value)
    if value <= best.value:
        gap = min(gap, best.gap + 4 * EPS * abs(value))
    scale = relative_scale(objective, value, dtype)
    witness = best.witness
    if best.verdict is Verdict.NO_MINIMUM:
        verdict = Verdict.NO_MINIMUM
    elif not gap <= tol * scale:
        verdict, witness = Verdict.INACCURATE, None
    else:
        smallest = float(weights.coef.norm()) <= SMALLEST * float(solution.weights.coef.norm())
        verdict = Verdict.NOT_UNIQUE if best.verdict is Verdict.NOT_UNIQUE and smallest else Verdict.OPTIMAL
        if witness is not None and not smallest:
            witness = replace(witness, text="Smaller weights give the same scores: the columns are dependent.")
    return Certificate(verdict, value, gap, scale, tol, f"optimum found beside it; {best.method}", None, witness)


def _check_finite(found: Affine, data: Data) -> None:
    for what, tensor in (("weight", found.weight), ("bias", found.bias)):
        bad = (~torch.isfinite(tensor)).nonzero()
        if len(bad):
            where = [int(i) for i in bad[0]]
            of = f" of column {data.columns[where[1]]!r}" if what == "weight" and data.columns else ""
            raise ValueError(f"{what}{where}{of} is {float(tensor[tuple(where)])}; training diverged.")


def _matched(found: Affine, wanted: int, loss: Loss, data: Data) -> Affine:
    """The scores that the loss takes, where the model has as many or says the same in other words."""
    have = len(found.weight)
    if have == wanted:
        return found
    if loss.name == "logistic" and have == 2:
        return replace(found, weight=found.weight[1:] - found.weight[:1], bias=found.bias[1:] - found.bias[:1])
    if loss.name == "softmax" and wanted == 2 and have == 1:
        signs = torch.tensor([[-0.5], [0.5]], dtype=torch.float64)
        return replace(found, weight=signs * found.weight, bias=signs[:, 0] * found.bias)
    y = f"({data.n},)" if data.outputs is None or loss.name == "softmax" else tuple(data.y.shape)
    need = f"({data.n}, {wanted})" + (f" or ({data.n},)" if wanted == 1 else "")
    advice = f"use nn.Linear({data.design.p}, {wanted})"
    if loss.name == "logistic" and have > 2:
        advice = "for more than two classes use loss='softmax'"
    elif loss.name == "softmax":
        advice = f"one output for each of the {wanted} classes: {advice}"
    raise ValueError(
        f"the model's scores have shape ({data.n}, {have}) and y {y}: the {loss} loss needs scores {need}; {advice}."
    )


def _weights(found: Affine, objective: Objective) -> Weights:
    device = objective.data.design.device
    weight, bias = found.weight.to(device), found.bias.to(device)
    if objective.outputs is None:
        return Weights(weight[0].clone(), bias[0].clone())
    return Weights(weight.T.contiguous(), bias.clone())
