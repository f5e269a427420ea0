"""Which of Sightline's losses a callable is, found by what it computes and not by what it is called.

The derivative of the callable in the scores is compared with that of each loss at scores chosen for it.  Where the two
are proportional, row by row and whatever the scores, the callable is that loss: times a factor, with row weights, up to
a constant.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.losses import Hinge, Huber, Logistic, Loss, Poisson, Quantile, Softmax, Squared, SquaredHinge

LossFunction = Callable[[Any, Any], Any]

LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda z: z, "sigmoid": torch.sigmoid, "log sigmoid": F.logsigmoid, "exponential": torch.exp,
    "softmax": lambda z: torch.softmax(z, -1), "log softmax": lambda z: torch.log_softmax(z, -1),
}  # fmt: skip
# Scores at which the derivatives are compared, in units of the margin, the logarithm of the rate, the target's size.
MARGINS = (-3.0, -0.7, 0.2, 0.6, 0.9, 1.1, 1.5, 2.1, 4.0)
RATES = (-1.7, -0.4, 0.3, 1.1, 2.0)
RESIDUALS = (-1e4, -20.0, -1.6, -0.3, -0.01, 0.02, 0.4, 1.7, 22.0, 1e4)
BENDS = (-9.0, -1.3, -0.8, -0.1, 0.2, 0.7, 1.2, 8.0)  # in units of Huber's delta
FAR = 1e4  # a residual that is large beside any bend


@dataclass(frozen=True)
class Recognised:
    """What a callable computes.

    loss : the loss of Sightline.  y : the target for it, (n,) or (n, K).
    shares : weight of each row in the callable's value on all rows, (n,) float64: its derivative in z_i is
        shares_i · loss'(z_i).
    total : the callable adds the rows up (``reduction='sum'``) where others take their mean.
    difference : the loss is one of z₁ - z₀, of two columns of scores.
    """

    loss: Loss
    y: Tensor
    shares: Tensor
    total: bool
    difference: bool = False

    @property
    def factor(self) -> float:
        """The callable's value on all rows over the loss's weighted mean."""
        return float(self.shares.sum())

    @property
    def row_weights(self) -> Tensor | None:
        """Weights of the rows, None where all are alike."""
        least, most = float(self.shares.min()), float(self.shares.max())
        return None if most - least <= 1e-5 * most else self.shares / self.shares.mean()


@dataclass(frozen=True)
class Candidate:
    """A loss, the target coded for it, and scores (n,) or (n, K) that tell it from every other."""

    loss: Loss
    coded: Tensor
    y: Tensor
    scores: list[Tensor]
    difference: bool = False


class Slopes:
    """The derivative in the scores of a callable of (outputs, y), at any scores."""

    def __init__(
        self, function: LossFunction, y: Tensor, shape: tuple[int, ...], link: str, dtype: torch.dtype
    ) -> None:
        self.y, self.shape, self.link, self.dtype = y, shape, LINKS[link], dtype
        self.function = function

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """The callable after the link, on scores in the shape of the module's outputs."""
        z = z.reshape(-1, *self.shape[1:]).to(self.dtype)
        y = y.to(self.dtype) if y.is_floating_point() else y
        return self.function(self.link(z), y)

    def __call__(self, z: Tensor) -> Tensor:
        """d value / d z on all rows, in the shape of ``z``, float64."""
        leaf = z.detach().clone().requires_grad_()
        with torch.enable_grad():
            value = self.value(leaf, self.y)
            (slope,) = torch.autograd.grad(value, leaf)
        return slope.double()

    def adds_up(self, z: Tensor) -> bool:
        """Whether twice the rows give twice the value."""
        with torch.no_grad():
            once = float(self.value(z, self.y))
            twice = float(self.value(torch.cat([z, z]), torch.cat([self.y, self.y])))
        return abs(twice - 2 * once) < abs(twice - once)


def variants(function: LossFunction, dtype: torch.dtype) -> Iterator[tuple[LossFunction, torch.dtype]]:
    """The callable in float64 if it can be had so, then in the module's own dtype."""
    if isinstance(function, nn.Module):
        with contextlib.suppress(Exception):  # a module that cannot be copied is taken as it is
            yield copy.deepcopy(function).double(), torch.float64
    yield function, torch.float64
    if dtype != torch.float64:
        yield function, dtype


def recognise(
    function: LossFunction, y: Tensor, shape: tuple[int, ...], link: str, dtype: torch.dtype
) -> Recognised | None:
    """The loss that ``function(outputs, y)`` computes, or None where it is none of Sightline's.

    y : the targets of all rows.  shape : of the module's outputs on all rows, (n,), (n, 1) or (n, K).
    link : what the module's last step makes of the scores (``LINKS``).  dtype : of the module.

    The function is called some times; random numbers are left as they were.
    """
    outputs = shape[1] if len(shape) == 2 else 1
    with torch.random.fork_rng(), torch.autograd.set_detect_anomaly(False):
        for variant, precision in variants(function, dtype):
            slopes = Slopes(variant, y, shape, link, precision)
            failed = False
            for candidate in candidates(y, len(y), outputs, slopes):
                try:
                    found = _compare(candidate, slopes)
                except Exception:  # whatever somebody's callable makes of other scores or another precision
                    failed = True
                    break
                if found is not None:
                    return found
            if not failed:
                return None
    return None


def linear_in_scores(
    function: LossFunction, y: Tensor, shape: tuple[int, ...], link: str, dtype: torch.dtype
) -> Tensor | None:
    """The derivative in the scores, (n,) or (n, K), where it is the same at all scores; None elsewhere."""
    outputs = shape[1] if len(shape) == 2 else 1
    generator = torch.Generator().manual_seed(0)
    size = (len(y),) if outputs == 1 else (len(y), outputs)
    slopes = Slopes(function, y, shape, link, dtype)
    first: Tensor | None = None
    with torch.random.fork_rng():
        for scale in (0.1, 1.0, 10.0, 1e3, 1e5):
            try:
                slope = slopes(scale * torch.randn(size, generator=generator, dtype=torch.float64))
            except Exception:
                return None
            first = slope if first is None else first
            if not float((slope - first).abs().max()) <= 1e-5 * float(first.abs().max()):
                return None
    return first if first is not None and bool(first.abs().max() > 0) else None


# ------------------------------------------------------------------------------------------------------- candidates


def _mixed(values: tuple[float, ...], like: Tensor) -> list[Tensor]:
    """As many vectors (n,) as values: each row has every value once, in another order than its neighbours, and a little
    different from every other row's."""
    n, m = len(like), len(values)
    rows = torch.arange(n, device=like.device)
    jitter = 1 + 0.1 * ((rows.double() * 0.6180339887498949) % 1.0)
    table = torch.tensor(values, dtype=torch.float64, device=like.device)
    return [table[(rows + k) % m] * jitter for k in range(m)]


def candidates(y: Tensor, n: int, outputs: int, slopes: Slopes) -> Iterator[Candidate]:
    """The losses that targets like these allow."""
    target = y.reshape(n) if y.numel() == n else y
    if outputs > 1:
        if target.ndim == 1 and not target.is_floating_point():
            yield from _of_classes(target, n, outputs)
        elif target.shape == (n, outputs):
            yield from _several_targets(target, n, outputs)
        return
    if target.ndim != 1:
        return
    real = target.double()
    signs = _signs(real)
    if signs is not None:
        scores = [signs * m for m in _mixed(MARGINS, real)]
        yield Candidate(Logistic(), signs, target, scores)
        yield Candidate(Hinge(), signs, target, scores)
        yield Candidate(SquaredHinge(), signs, target, scores)
    size = float((real - real.mean()).abs().mean()) or float(real.abs().mean()) or 1.0
    around = [real + size * r for r in _mixed(RESIDUALS, real)]
    yield Candidate(Squared(), real, target, around)
    if bool(((real >= 0) & (real <= 1)).all()) and signs is None:
        yield Candidate(Logistic(soft=True), 2 * real - 1, target, _mixed(MARGINS, real))
    if bool((real >= 0).all()):
        yield Candidate(Poisson(), real, target, _mixed(RATES, real))
    bent = _bent(slopes, real, size)
    if bent is not None:
        yield Candidate(bent, real, target, [real + bent.delta * r for r in _mixed(BENDS, real)])
    pinball = _pinball(slopes, real, size)
    if pinball is not None:
        yield Candidate(pinball, real, target, around)


def _signs(real: Tensor) -> Tensor | None:
    values = set(torch.unique(real).tolist())
    if values <= {0.0, 1.0}:
        return 2 * real - 1
    return real if values <= {-1.0, 1.0} else None


def _of_classes(target: Tensor, n: int, outputs: int) -> Iterator[Candidate]:
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn((n, outputs), generator=generator, dtype=torch.float64) for _ in range(4)]
    scores = [s * z.to(target.device) for s, z in zip((0.5, 1.5, 3.0, 6.0), draws)]
    if not bool(((target >= 0) & (target < outputs)).all()):
        return
    yield Candidate(Softmax(), target, target, scores)
    if outputs == 2:
        signs = 2 * target.double() - 1
        margins = [0.5 * signs * m for m in _mixed(MARGINS, signs)]
        pairs = [torch.stack([0.3 - half, 0.3 + half], 1) for half in margins]
        for loss in (Hinge(), SquaredHinge()):
            yield Candidate(loss, signs, target, pairs, difference=True)


def _several_targets(target: Tensor, n: int, outputs: int) -> Iterator[Candidate]:
    real = target.double()
    generator = torch.Generator().manual_seed(0)
    size = float(real.abs().mean()) or 1.0
    scores = [
        real + size * s * torch.randn((n, outputs), generator=generator, dtype=torch.float64).to(real.device)
        for s in (0.01, 1.0, 30.0)
    ]
    yield Candidate(Squared(), real, target, scores)
    hot = bool(((real == 0) | (real == 1)).all()) and bool((real.sum(1) == 1).all())
    if hot:
        labels = real.argmax(1)
        for candidate in _of_classes(labels, n, outputs):
            if not candidate.difference:
                yield candidate


def _bent(slopes: Slopes, real: Tensor, size: float) -> Huber | None:
    """Huber's loss with the delta that the slopes near and far have, where they have one."""
    far = slopes(real + FAR * size)
    delta, known = 1e-3 * size, False
    for _ in range(60):  # nearer, until the slope is proportional to the residual
        near, nearer = slopes(real + delta), slopes(real + 0.5 * delta)
        if bool((near > 0).all()) and float((near / nearer - 2).abs().max()) < 1e-4:
            known = True
            break
        delta *= 0.25
        if delta < 1e-7 * size:
            break
    if not known:
        return None
    deltas = delta * far / near
    found = float(deltas.median())
    if not (0 < found < 0.1 * FAR * size) or float((deltas / found - 1).abs().max()) > 1e-3:
        return None
    rounded = float(f"{found:.5g}")  # a round number was meant, where it is one to five digits
    return Huber(delta=rounded if abs(rounded / found - 1) < 1e-6 else found)


def _pinball(slopes: Slopes, real: Tensor, size: float) -> Quantile | None:
    above, below = slopes(real + size), slopes(real - size)
    if not (bool((above > 0).all()) and bool((below < 0).all())):
        return None
    quantiles = -below / (above - below)
    found = float(quantiles.median())
    rounded = float(f"{found:.5g}")
    return Quantile(quantile=rounded if abs(rounded - found) < 1e-6 else found) if 0 < found < 1 else None


# ------------------------------------------------------------------------------------------------------- comparison


def _compare(candidate: Candidate, slopes: Slopes) -> Recognised | None:
    """What the callable is if its slopes are the candidate's, times a positive number for each row."""
    tolerance = 1e-6 if slopes.dtype == torch.float64 else 2e-4
    products: Tensor | float = 0.0
    squares: Tensor | float = 0.0
    pairs = []
    for z in candidate.scores:
        theirs = slopes(z)
        if not bool(torch.isfinite(theirs).all()):
            return None
        ours = _slope(candidate, z)
        pairs.append((theirs, ours))
        products = products + _rows(theirs * ours)
        squares = squares + _rows(ours * ours)
    assert isinstance(products, Tensor) and isinstance(squares, Tensor)
    shares = products / squares.clamp(min=1e-300)
    if not bool((shares > 0).all()):
        return None
    for theirs, ours in pairs:
        expected = ours * (shares if ours.ndim == 1 else shares[:, None])
        size = expected.abs() + theirs.abs() + 1e-3 * float(expected.abs().max())
        if not bool(((theirs - expected).abs() <= tolerance * size).all()):
            return None
    middle = shares.median()
    if float((shares / middle - 1).abs().max()) < 10 * tolerance:
        shares = torch.full_like(shares, _tidy(float(middle) * len(shares), tolerance) / len(shares))
    return Recognised(
        candidate.loss, candidate.y, shares.cpu(), slopes.adds_up(candidate.scores[0]), candidate.difference
    )


def _tidy(factor: float, tolerance: float) -> float:
    """The factor as it was meant: to the digits in which it is known."""
    rounded = float(f"{factor:.4g}")
    return rounded if abs(rounded / factor - 1) < 10 * tolerance else factor


def _rows(v: Tensor) -> Tensor:
    return v if v.ndim == 1 else v.sum(1)


def _slope(candidate: Candidate, z: Tensor) -> Tensor:
    if not candidate.difference:
        return candidate.loss.gradient(z, candidate.coded)
    slope = candidate.loss.gradient(z[:, 1] - z[:, 0], candidate.coded)
    return torch.stack([-slope, slope], 1)
