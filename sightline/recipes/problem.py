"""From a training to the convex problem that it was solving, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sightline.data import make_data
from sightline.losses import Huber, Loss, Quantile
from sightline.penalties import L2, NONE
from sightline.recipes import decay
from sightline.recipes.linear import LinearMap
from sightline.recipes.minimised import Minimised
from sightline.recipes.objective import RecipeObjective
from sightline.recipes.recognised import LossFunction, Recognised, recognise
from sightline.recipes.row_weights import in_batches

NAMES = {
    "logistic": "logistic loss", "softmax": "cross-entropy", "hinge": "hinge loss",
    "squared_hinge": "squared hinge loss", "poisson": "Poisson loss",
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """What an optimizer does to a module's parameters.

    decays : its weight decay of each, in the module's order; 0 for those that it does not hold.
    frozen : the name of one that it leaves as it is, at other numbers than zero; '' for none.
    """

    optimizer: torch.optim.Optimizer
    decays: list[float]
    frozen: str

    @classmethod
    def by(cls, optimizer: torch.optim.Optimizer, module: nn.Module) -> Trained:
        """As they are now."""
        of = {id(p): float(g.get("weight_decay", 0.0) or 0.0) for g in optimizer.param_groups for p in g["params"]}
        named = list(module.named_parameters())
        fixed = (n for n, p in named if not (p.requires_grad and id(p) in of) and bool(p.any()))
        return cls(optimizer, [of.get(id(p), 0.0) for _, p in named], next(fixed, ""))


def find_problem(
    trained: Trained, linear: LinearMap, function: LossFunction, y: Tensor, rows_a_step: float,
    columns: tuple[str, ...] | None = None, drawn: Tensor | None = None, sizes: Tensor | None = None,
) -> Minimised | str:
    """The convex problem of a linear module's training, or why there is none, as a sentence.

    y : targets of all rows.  rows_a_step : mean number of rows in a batch.  columns : names of X's columns.
    drawn : how often each row is drawn beside the others, (n,).  sizes : rows of each batch, where all epochs visit the
        rows in their order.
    """
    optimizer = trained.optimizer
    if not decay.goes_down(optimizer):
        return f"{type(optimizer).__name__} steps uphill (maximize=True): nothing is minimised."
    found = recognise(function, y, linear.shape, linear.link, linear.dtype)
    if found is None:
        return _unrecognised(function, y, linear)
    if drawn is not None:
        shares = found.shares * drawn
        found = replace(found, shares=shares * (found.shares.sum() / shares.sum()))
    weighing = ", rows weighted," if found.row_weights is not None else ""
    by_batch = False
    if sizes is not None and len(sizes) > 1:
        batches = in_batches(found, function, y, linear, sizes)
        by_batch = batches.found is not found
        found, weighing = batches.found, weighing.rstrip(",") + batches.words if by_batch else weighing
    if trained.frozen:
        return f"{trained.frozen} is not trained, and an optimum with some weights held fixed is another problem."
    steps = linear.design.n / rows_a_step if found.total else 1.0  # batches whose sums make the whole sum
    strengths, words = _strengths(trained, linear, steps)
    if strengths is None:
        return words
    on_weight, on_bias = (s / found.factor for s in strengths)
    if found.difference and (on_weight or on_bias):
        return "weight decay on both of two columns of scores is not the penalty on their difference."
    if on_bias and not on_weight:
        return "weight decay on the bias alone is a problem that Sightline does not solve."
    classes: list[int] | None = None
    if found.loss.targets == "binary" and not getattr(found.loss, "soft", False):
        classes = [-1, 1] if bool((found.y < 0).any()) else [0, 1]
    elif found.loss.targets == "classes":
        classes = list(range(linear.outputs))
    try:
        data = make_data(
            linear.design.to_dense(), found.y, found.loss, classes=classes, sample_weight=found.row_weights,
            columns=columns if columns is not None and len(columns) == linear.design.p else None,
        )
    except ValueError as error:
        return f"the data make no problem with an optimum: {error}"
    if found.row_weights is not None and data.n != linear.design.n:
        return "some rows count for nothing in the loss."
    objective = RecipeObjective(
        data, found.loss, L2(on_weight) if on_weight else NONE, linear.has_bias, on_bias if linear.has_bias else 0.0
    )
    said = _in_words(found, weighing, words, linear)
    return Minimised(objective, found.factor, said, difference=found.difference, by_batch=by_batch)


def _unrecognised(function: LossFunction, y: Tensor, linear: LinearMap) -> str:
    if linear.link != "identity":
        plain = recognise(function, y, linear.shape, "identity", linear.dtype)
        if plain is not None:
            return (
                f"the loss takes scores, but the module ends in a {linear.link} of them, so the loss sees a squashed"
                f" score: that is not a convex problem. Leave the module's last {linear.link} out."
            )
    return "the loss is none of those whose optimum Sightline can certify."


def _strengths(trained: Trained, linear: LinearMap, steps: float) -> tuple[tuple[float, float] | None, str]:
    """L2 strength of weights and bias in the units of the recipe's loss, and in words; None and why where the weight
    decay is no such penalty."""
    optimizer, decays = trained.optimizer, trained.decays
    kind = type(optimizer).__name__
    if not any(decays):
        note = f" ({kind} shrinks the weights a little besides, which no penalty here stands for)"
        return (0.0, 0.0), note if decay.shrinks(optimizer) else ""
    effect = decay.effect(optimizer)
    most = max(decays)
    if effect == decay.DECOUPLED:
        alike = len({d for d in decays if d}) == 1
        strength = f" {most:g}" if alike else ""
        bound = f"1/{most:g} = {1 / most:.4g} each" if alike else "1/decay of their group"
        return (0.0, 0.0), (
            f". {kind}'s decoupled weight decay{strength} adds no penalty to it, and no fixed sum of loss and penalty"
            f" is minimised: run to its end, it would minimise the loss among weights of at most {bound}"
            " (Xie & Li 2024), so the gap here is to the optimum without decay"
        )
    if effect == decay.UNKNOWN:
        return None, f"what the weight decay of {kind} adds to the loss is not known."
    if linear.weight is None:
        return None, (
            "the weight decay acts on parameters that are not the linear model's weights themselves, so it is not an L2"
            " penalty on them."
        )
    on_weight = decays[linear.weight.place] * steps
    on_bias = decays[linear.bias.place] * steps if linear.bias is not None else 0.0
    others = [d for i, d in enumerate(decays) if d and i not in _places(linear)]
    if others:
        return None, "the weight decay acts on parameters that the scores do not depend on."
    return (on_weight, on_bias), _penalty_in_words(on_weight, on_bias, linear, optimizer)


def _places(linear: LinearMap) -> list[int]:
    return [read.place for read in (linear.weight, linear.bias) if read is not None]


def _penalty_in_words(on_weight: float, on_bias: float, linear: LinearMap, optimizer: torch.optim.Optimizer) -> str:
    if on_weight == on_bias:
        penalty, whose = f" + ½·{on_weight:.4g}·(‖w‖² + b²)", "the weight decay, on weights and bias"
    elif on_bias == 0:
        penalty = f" + ½·{on_weight:.4g}·‖w‖²"
        whose = "the weight decay, on the weights and not the bias" if linear.has_bias else "the weight decay"
    else:
        penalty, whose = f" + ½·({on_weight:.4g}·‖w‖² + {on_bias:.4g}·b²)", "the weight decay, group by group"
    text = f"{penalty} ({whose})"
    if not isinstance(optimizer, torch.optim.SGD) and "lr" in optimizer.param_groups[0]:
        state = any(k in optimizer.param_groups[0] for k in ("betas", "alpha", "rho", "lr_decay"))
        if state:
            text += (
                f", in which {type(optimizer).__name__} rescales each step: where it settles on all rows is this"
                " optimum, but on the way the penalty pulls differently on each weight"
            )
    return text


def loss_in_words(loss: Loss, factor: float, total: bool) -> str:
    """The recipe's own loss: 'mean squared error', 'summed hinge loss', ..."""
    kind = "summed" if total else "mean"
    if loss.name == "squared":
        words, usual = f"{kind} squared error", 2.0
    elif isinstance(loss, Quantile) and loss.quantile == 0.5:
        words, usual = f"{kind} absolute error", 2.0
    elif isinstance(loss, Quantile):
        words, usual = f"{kind} pinball loss (quantile {loss.quantile:g})", 1.0
    elif isinstance(loss, Huber):
        words, usual = f"{kind} Huber loss (delta {loss.delta:g})", 1.0
    else:
        words, usual = f"{kind} {NAMES[loss.name]}", 1.0
    times = factor / usual
    if abs(times - 1) < 1e-5:
        return f"the {words}"
    return f"half the {words}" if abs(times - 0.5) < 1e-5 else f"{times:.4g} times the {words}"


def _in_words(found: Recognised, weighing: str, penalty: str, linear: LinearMap) -> str:
    factor = found.factor / (linear.design.n if found.total else 1)
    if found.loss.name == "squared" and linear.outputs > 1:
        factor *= linear.outputs  # torch's mean is over the targets as well
    words = loss_in_words(found.loss, factor, found.total)
    return f"{words}{weighing if penalty else weighing.rstrip(',')}{penalty}"


def mean_rows(rows: int, per_epoch: int | None, size: int | None) -> float:
    """Rows in a batch, on the average."""
    return rows / per_epoch if per_epoch else float(size or rows)
