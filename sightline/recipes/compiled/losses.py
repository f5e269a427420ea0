"""torch's losses as the numbers that the compiled loop takes.

A loss is not known by its name but by its slopes: a named loss, a function of ``torch.nn.functional`` and one written
by hand are taken for a loss of the loop when their gradients in the scores, computed by autograd on the training's own
targets, are that loss's, at small and large scores and at the kinks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.recipes.checks import CheckedLoss
from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.compiled.linear import Map, Scores, log_softmax, unchanged

# As the enumeration in types.c.
SQUARED, ABSOLUTE, HUBER, SMOOTH_ABSOLUTE, LOGITS, SIGMOID, SOFT_MARGIN, HINGE, SQUARED_HINGE, POISSON = range(10)
CROSS_ENTROPY, MULTI_MARGIN = 10, 11

NAMES = (
    "MSE, L1, Huber, SmoothL1, BCEWithLogits, Sigmoid with BCE, SoftMargin, the hinge and its square, PoissonNLL,"
    " CrossEntropy, LogSoftmax with NLL, and MultiMargin"
)
LIKELY = {
    "MSELoss": SQUARED, "L1Loss": ABSOLUTE, "HuberLoss": HUBER, "SmoothL1Loss": SMOOTH_ABSOLUTE,
    "BCEWithLogitsLoss": LOGITS, "BCELoss": SIGMOID, "SoftMarginLoss": SOFT_MARGIN, "PoissonNLLLoss": POISSON,
    "CrossEntropyLoss": CROSS_ENTROPY, "NLLLoss": CROSS_ENTROPY, "MultiMarginLoss": MULTI_MARGIN,
}  # fmt: skip
PROBED = 16, 32  # rows of the targets that a loss is tried on; two numbers tell a mean from a sum
EXTREMES = (-400.0, -110.0, -60.0, -30.0, -2.0, -1.0, 0.0, 1.0, 2.0, 30.0, 60.0, 110.0, 400.0)
CODINGS = "as given", "signs", "shares"
LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Slopes:
    """A loss of the loop.

    mean : over the batch's entries, else their sum.  scale : times that.
    shape : Huber's delta, smooth L1's beta, the weight of positives, 1 for Poisson's full likelihood.
    margin : of the hinges; of the soft margin, where its slope is cut (the threshold of softplus).
    tie : the share of the hinge's slope where the margin is met exactly.
    coded : the loop's targets are those 'as given', 'signs' (2 y - 1) or 'shares' ((y + 1) / 2).
    """

    number: int
    mean: bool = True
    scale: float = 1.0
    shape: float = 1.0
    margin: float = 1.0
    tie: float = 1.0
    coded: str = "as given"

    @property
    def of_classes(self) -> bool:
        """Whether its targets are numbers of classes."""
        return self.number >= CROSS_ENTROPY

    def targets(self, y: Tensor, dtype: torch.dtype) -> Tensor:
        """The loop's form of y: (n, K) of ``dtype``, or (n,) int64."""
        if self.of_classes:
            return y.contiguous()
        y = y.to(dtype)
        if self.coded != "as given":
            y = 2 * y - 1 if self.coded == "signs" else (y + 1) / 2
        return y.reshape(len(y), -1).contiguous()


def slopes_of(loss: LossFunction, scores: Scores, y: Tensor, dtype: torch.dtype) -> Slopes:
    """Recognise a loss.

    y : the training's targets, (n, ...).

    Raises
    ------
    NotCompiled : it is none of the loop's, or its targets are labels that are none of the classes.
    """
    labels = not y.is_floating_point() and y.ndim == 1 and scores.outputs > 1
    if labels and (int(y.min()) < 0 or int(y.max()) >= scores.outputs):
        raise _no(loss, f"there are labels outside 0 .. {scores.outputs - 1}")
    probes = [_probe(scores, y, m, dtype) for m in PROBED]
    try:
        own = [_gradient(loss, scores, z, targets) for z, targets in probes]
    except Exception as error:
        raise _no(loss, f"it fails on the training's targets: {error}") from None
    named = LIKELY.get(_name(loss))
    # The likeliest first: a name says where to look, never what is found.
    for slopes, twin, end in sorted(_twins(_settings_of(loss)), key=lambda twin: twin[0].number != named):
        fits = y.dtype == torch.int64 and labels if slopes.of_classes else y.numel() == len(y) * scores.outputs
        if end is not scores.end or not fits:
            continue
        for coded in CODINGS[:1] if slopes.of_classes else CODINGS:
            found = _matched(replace(slopes, coded=coded), twin, scores, probes, own)
            if found is not None:
                return found
    raise _no(loss, "its slopes on the training's targets are none of theirs")


def _probe(scores: Scores, y: Tensor, m: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Scores and targets of m rows: scores far out and at the kinks, small whole numbers, and random ones."""
    generator = torch.Generator().manual_seed(m)
    rows = torch.arange(m) * max(len(y) // m, 1) % len(y)
    z = 3 * torch.randn((m, scores.outputs), generator=generator, dtype=dtype)
    z[m // 4 : m // 2] = z[m // 4 : m // 2].round()
    ends = torch.tensor(EXTREMES, dtype=dtype)
    z[-len(ends) :, 0] = ends
    targets = y[rows]
    if y.is_floating_point() and y.numel() == len(y) * scores.outputs:
        z[::2] += targets.reshape(m, -1)[::2].to(dtype)
    return z, targets


def _gradient(loss: LossFunction, scores: Scores, z: Tensor, y: Tensor) -> Tensor:
    """Of the loss in the scores, (m, K)."""
    z = z.clone().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(loss(scores.end(z.reshape(len(z), *scores.shape)), y), z)
    return gradient


def _matched(
    slopes: Slopes, twin: LossFunction, scores: Scores, probes: list[tuple[Tensor, Tensor]], own: list[Tensor]
) -> Slopes | None:
    """The loss with the scale and the mean that it has, where it is this one."""
    factors = []
    for (z, y), have in zip(probes, own):
        try:
            want = _gradient(twin, replace(scores, shape=z.shape[1:]), z, slopes.targets(y, z.dtype))
        except (RuntimeError, ValueError):  # targets that this loss does not take
            return None
        usable = torch.isfinite(want) & torch.isfinite(have)
        place = int(torch.where(usable, want.abs(), 0).argmax())
        factor = float(have.flatten()[place].double() / want.flatten()[place].double())
        tolerance = 16 * torch.finfo(z.dtype).eps
        if not torch.allclose(have, (factor * want.double()).to(z.dtype), rtol=tolerance, atol=0, equal_nan=True):
            return None
        factors.append(factor)
    entries = [m * (1 if slopes.of_classes else scores.outputs) for m in PROBED]
    eps = 64 * torch.finfo(own[0].dtype).eps
    for mean, (few, many) in ((False, factors), (True, [f * e for f, e in zip(factors, entries)])):
        if abs(few - many) <= eps * abs(many):
            near = round(many, 3)
            return replace(slopes, mean=mean, scale=near if abs(near - many) <= eps * abs(many) else many)
    return None


def _settings_of(loss: Any) -> dict[str, Any]:
    """The parameters that a named loss was made with."""
    if isinstance(loss, CheckedLoss):
        loss = loss.function
    if isinstance(loss, nn.Module):
        return {name: getattr(loss, name, None) for name in ("beta", "delta", "margin", "full", "pos_weight")}
    return dict(getattr(loss, "keywords", {}))


def _twins(found: dict[str, Any]) -> Iterator[tuple[Slopes, LossFunction, Map]]:
    """The losses of the loop, with what computes the sum of each, and what the module does to the scores before."""
    total: dict[str, Any] = {"reduction": "sum"}
    beta, delta = _number(found, "beta"), _number(found, "delta")
    margin, full, positive = _number(found, "margin"), bool(found.get("full", False)), found.get("pos_weight")
    weight = float(positive) if isinstance(positive, Tensor) and positive.numel() == 1 else None
    plain: list[tuple[Slopes, LossFunction]] = [
        (Slopes(SQUARED), partial(F.mse_loss, **total)),
        (Slopes(ABSOLUTE), partial(F.l1_loss, **total)),
        (Slopes(HUBER, shape=delta), partial(F.huber_loss, delta=delta, **total)),
        (Slopes(SMOOTH_ABSOLUTE, shape=beta), partial(F.smooth_l1_loss, beta=beta, **total)),
        (Slopes(LOGITS), partial(F.binary_cross_entropy_with_logits, **total)),
        (Slopes(SOFT_MARGIN, margin=math.inf), partial(F.soft_margin_loss, **total)),
        (Slopes(SOFT_MARGIN, margin=20.0), lambda z, y: F.softplus(-y * z).sum()),
        (Slopes(SOFT_MARGIN, margin=40.0), lambda z, y: F.softplus(-y * z, threshold=40.0).sum()),
        (Slopes(HINGE, margin=margin), lambda z, y: (margin - y * z).clamp(min=0).sum()),
        (Slopes(HINGE, margin=margin, tie=0.0), lambda z, y: (margin - y * z).relu().sum()),
        (Slopes(HINGE, margin=margin, tie=0.5), lambda z, y: torch.maximum(margin - y * z, 0 * z.detach()).sum()),
        (Slopes(SQUARED_HINGE, margin=margin), lambda z, y: (margin - y * z).relu().square().sum()),
        (Slopes(POISSON, shape=float(full)), partial(F.poisson_nll_loss, full=full, **total)),
        (Slopes(CROSS_ENTROPY), partial(F.cross_entropy, **total)),
        (Slopes(MULTI_MARGIN, margin=margin), partial(F.multi_margin_loss, margin=margin, **total)),
        # The sigmoid may be in the loss instead of the module.
        (Slopes(SIGMOID), lambda z, y: F.binary_cross_entropy(torch.sigmoid(z), y, reduction="sum")),
    ]
    if weight is not None:
        weighted = partial(F.binary_cross_entropy_with_logits, pos_weight=positive, **total)
        plain.append((Slopes(LOGITS, shape=weight), weighted))
    for slopes, twin in plain:
        yield slopes, twin, unchanged
    yield Slopes(SIGMOID), partial(F.binary_cross_entropy, **total), torch.sigmoid
    yield Slopes(CROSS_ENTROPY), partial(F.nll_loss, **total), log_softmax


def _number(found: dict[str, Any], name: str) -> float:
    value = found.get(name, 1.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 1.0


def _name(loss: Any) -> str:
    loss = loss.function if isinstance(loss, CheckedLoss) else loss
    return str(getattr(loss, "__name__", type(loss).__name__))


def _no(loss: Any, what: str) -> NotCompiled:
    return NotCompiled(
        f"engine='compiled' cannot train with the loss {_name(loss)}: {what}. It knows {NAMES}. Use engine='exact'."
    )
