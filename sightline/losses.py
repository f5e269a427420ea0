"""Losses: convex functions of the scores z, one row at a time.

A loss knows its value, derivative, curvature and convex conjugate, what targets it accepts and what bounds its
derivatives obey.  Everything that solvers and certificates need of a loss is data here, so "this solver cannot do
that" and "this bound does not apply" are decided by looking, not by name.

Shapes: ``z`` is (n,) for one output, (n, K) for softmax and multi-target squared loss; ``y`` is the coded target (see
``Loss.targets``); pointwise results are (n,).  All computing is float64 unless a solver asks for less.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch import nn


def xlogx(x: Tensor) -> Tensor:
    """x log x with 0 log 0 = 0."""
    return torch.special.xlogy(x, x)


PRODUCT_ROWS = 6000  # scores from which the logarithm of products is quicker than a softplus each


def log_of_product(q: Tensor) -> float:
    """Σ log q for numbers q in [0, 1], (n,), by one logarithm for eight of them; -inf where a product underflows."""
    m = len(q) // 8 * 8
    products = q[:m].view(8, -1).prod(0)
    if m and float(products.min()) < torch.finfo(q.dtype).tiny:
        return -math.inf
    return float(products.log_().sum()) + float(q[m:].log().sum())


class Loss(abc.ABC):
    """A pointwise convex function of the scores.

    Class data
    ----------
    name : the word by which ``fit(loss=...)`` finds it.
    targets : 'real' (float), 'binary' (coded -1/+1), 'classes' (coded 0..K-1), 'counts' (float >= 0).
    curvature_bound : sup of the second derivative in z (inf where there is none).
    self_concordance : R with |l'''| <= R l'' along any direction, in units of the range of the scores
        (Bach 2010, "Self-concordant analysis for logistic regression", eq. 2); None where no such R exists.
    quadratic : the loss is a quadratic function of the scores.
    smooth : the derivative is continuous.
    attains_minimum : an unpenalised problem with this loss always has a minimum.
    """

    name: ClassVar[str]
    targets: ClassVar[str]
    curvature_bound: ClassVar[float]
    self_concordance: ClassVar[float | None] = None
    quadratic: ClassVar[bool] = False
    smooth: ClassVar[bool] = True
    attains_minimum: ClassVar[bool] = True

    @abc.abstractmethod
    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, (n,), never negative."""

    @abc.abstractmethod
    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Derivative in the scores, the shape of ``z`` (a subgradient at kinks)."""

    def value_and_gradient(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Both at once, where that is cheaper."""
        return self.value(z, y), self.gradient(z, y)

    def total_and_gradient(self, z: Tensor, y: Tensor) -> tuple[float, Tensor]:
        """Sum of the losses, and the derivative."""
        value, dual = self.value_and_gradient(z, y)
        return float(value.sum()), dual

    @abc.abstractmethod
    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Second derivative in the scores (a generalised one at kinks), the shape of ``z``.

        For softmax these are the probabilities p, from which the curvature is diag(p) - p p'.
        """

    def curvature_from(self, z: Tensor, y: Tensor, dual: Tensor) -> Tensor:
        """``curvature`` where ``dual``, the derivative, is known and makes it cheaper."""
        return self.curvature(z, y)

    def least_curvature(self, z: Tensor, y: Tensor, radius: Tensor) -> Tensor:
        """A lower bound on the second derivative wherever it exists within ``radius`` of z, the shape of ``z``."""
        return torch.zeros_like(z)

    @abc.abstractmethod
    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        """Convex conjugate sup_z (dual z - loss(z)) of each row, (n,); ``dual`` must lie in the domain."""

    @abc.abstractmethod
    def dual_bounds(self, y: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """Lowest and highest value of the conjugate's domain, row by row (the simplex of softmax: of each entry)."""

    @abc.abstractmethod
    def torch_twin(self) -> nn.Module:
        """The ``torch.nn`` module that computes the mean of the same loss."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Squared(Loss):
    """½ (z - y)²: least squares.  ``y`` float, (n,) or (n, K) (summed over the K targets)."""

    name = "squared"
    targets = "real"
    curvature_bound = 1.0
    self_concordance = 0.0
    quadratic = True

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        v = (z - y).square_().mul_(0.5)
        return v if v.ndim == 1 else v.sum(1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return z - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.ones_like(z)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        v = dual * (0.5 * dual + y)
        return v if v.ndim == 1 else v.sum(1)

    def dual_bounds(self, y: Tensor) -> tuple[float, float]:
        return -math.inf, math.inf

    def torch_twin(self) -> nn.Module:
        """``nn.MSELoss`` is twice this loss."""
        return torch.nn.MSELoss()


@dataclass(frozen=True)
class Logistic(Loss):
    """log(1 + exp(-t z)), ``y`` = t in {-1, +1}; a soft label q in (0, 1) is coded t = 2 q - 1."""

    name = "logistic"
    targets = "binary"
    curvature_bound = 0.25
    self_concordance = 1.0
    attains_minimum = False
    soft: bool = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        if self.soft:
            sign = torch.where(y >= 0, 1.0, -1.0)
            m = sign * z
            return torch.logaddexp(torch.zeros_like(m), -m) + 0.5 * (1 - y.abs()) * m
        return torch.nn.functional.softplus(y * z.neg(), threshold=40.0)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        if self.soft:
            sign = torch.where(y >= 0, 1.0, -1.0)
            return sign * (0.5 * (1 - y.abs()) - torch.sigmoid(-sign * z))
        return (z * y).neg_().sigmoid_().mul_(y).neg_()

    def value_and_gradient(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if self.soft:
            return self.value(z, y), self.gradient(z, y)
        against = (z * y).neg_()
        return torch.nn.functional.softplus(against, threshold=40.0), against.sigmoid_().mul_(y).neg_()

    def total_and_gradient(self, z: Tensor, y: Tensor) -> tuple[float, Tensor]:
        if self.soft or len(z) < PRODUCT_ROWS:
            return super().total_and_gradient(z, y)
        margin = z * y
        dual = margin.neg().sigmoid_()
        total = -log_of_product(margin.sigmoid_())
        if not 1e-3 * len(z) < total < math.inf:  # losses so small, or a product of zero, want a logarithm each
            total = float(torch.nn.functional.softplus((z * y).neg_(), threshold=40.0).sum())
        return total, dual.mul_(y).neg_()

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        p = z.abs().neg_().sigmoid_()
        return p - p * p

    def curvature_from(self, z: Tensor, y: Tensor, dual: Tensor) -> Tensor:
        if self.soft:
            return self.curvature(z, y)
        p = dual.abs()  # the probability of the wrong label
        return p - p * p

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        # With a hard label a = |dual| is the probability of the wrong class; with a soft one p = dual + q.
        p = dual.abs() if not self.soft else dual + 0.5 * (1 + y)
        return xlogx(p) + torch.special.xlog1py(1 - p, -p)

    def dual_bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return -0.5 * (1 + y), 0.5 * (1 - y)

    def torch_twin(self) -> nn.Module:
        return torch.nn.BCEWithLogitsLoss()


@dataclass(frozen=True)
class Softmax(Loss):
    """log Σ_k exp(z_k) - z_y: multinomial logistic loss.  ``y`` int64 class numbers, (n,)."""

    name = "softmax"
    targets = "classes"
    curvature_bound = 0.5
    self_concordance = 1.0
    attains_minimum = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        return self.value_and_gradient(z, y)[0]

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return self.value_and_gradient(z, y)[1]

    def value_and_gradient(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        # Class-major, because a reduction over a short last dimension is slow.  Scores are taken relative to the
        # true class's, so value = log(1 + Σ others) and p_y - 1 = -Σ others keep their digits where p_y is near one.
        index = y[None]
        relative = z.T.contiguous()
        relative = relative - relative.gather(0, index)
        top = relative.amax(0)
        e = relative.sub_(top).exp_()
        own = torch.exp(-top)
        e.scatter_(0, index, 0.0)
        others = e.sum(0)
        total = own + others
        value = torch.where(top == 0, torch.log1p(others), top + total.log())
        e.div_(total).scatter_(0, index, -(others / total)[None])
        return value, e.T

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.softmax(z, 1)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        p = dual.scatter_add(1, y[:, None], torch.ones_like(dual[:, :1])).clamp(min=0)
        return xlogx(p).sum(1)

    def dual_bounds(self, y: Tensor) -> tuple[float, float]:
        return -1.0, 1.0

    def torch_twin(self) -> nn.Module:
        return torch.nn.CrossEntropyLoss()


@dataclass(frozen=True)
class Hinge(Loss):
    """max(0, 1 - t z), ``y`` = t in {-1, +1}: the support vector machine's loss."""

    name = "hinge"
    targets = "binary"
    curvature_bound = math.inf
    smooth = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        return (1 - y * z).clamp_(min=0)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.where(y * z < 1, -y, 0.0)

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.zeros_like(z)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        return dual * y

    def dual_bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y.clamp(min=0).neg(), y.clamp(max=0).neg()

    def torch_twin(self) -> nn.Module:
        """``nn.MultiMarginLoss`` on the two-column scores (0, z), times two; PyTorch has no one-column hinge."""
        return torch.nn.MultiMarginLoss()


@dataclass(frozen=True)
class SquaredHinge(Loss):
    """max(0, 1 - t z)², ``y`` = t in {-1, +1}."""

    name = "squared_hinge"
    targets = "binary"
    curvature_bound = 2.0

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        return self._shortfall(z, y).square_()

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return self._shortfall(z, y).mul_(y).mul_(-2)

    def value_and_gradient(self, z: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        short = self._shortfall(z, y)
        return short.square(), short.mul_(y).mul_(-2)

    @staticmethod
    def _shortfall(z: Tensor, y: Tensor) -> Tensor:
        """How far the margin is below one."""
        return (y * z).neg_().add_(1).clamp_(min=0)

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return (y * z < 1).to(z.dtype).mul_(2)

    def least_curvature(self, z: Tensor, y: Tensor, radius: Tensor) -> Tensor:
        return (y * z + radius <= 1).to(z.dtype).mul_(2)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        return 0.25 * dual.square() + dual * y

    def dual_bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        inf = torch.full_like(y, math.inf)
        return torch.where(y > 0, -inf, 0.0), torch.where(y > 0, 0.0, inf)

    def torch_twin(self) -> nn.Module:
        """``nn.MultiMarginLoss(p=2)`` on the two-column scores (0, z), times two."""
        return torch.nn.MultiMarginLoss(p=2)


@dataclass(frozen=True)
class Huber(Loss):
    """½ r² where |r| <= delta, delta |r| - ½ delta² beyond, r = z - y (Huber 1964).  delta in the target's units."""

    name = "huber"
    targets = "real"
    curvature_bound = 1.0
    delta: float = 1.35

    def __post_init__(self) -> None:
        if not (math.isfinite(self.delta) and self.delta > 0):
            raise ValueError(f"Huber's delta is {self.delta}; it must be a positive number in the target's units.")

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        r = (z - y).abs_()
        c = r.clamp(max=self.delta)
        return c * (r - 0.5 * c)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return (z - y).clamp_(-self.delta, self.delta)

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return ((z - y).abs_() <= self.delta).to(z.dtype)

    def least_curvature(self, z: Tensor, y: Tensor, radius: Tensor) -> Tensor:
        return ((z - y).abs_() + radius <= self.delta).to(z.dtype)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        return dual * (0.5 * dual + y)

    def dual_bounds(self, y: Tensor) -> tuple[float, float]:
        return -self.delta, self.delta

    def torch_twin(self) -> nn.Module:
        return torch.nn.HuberLoss(delta=self.delta)


@dataclass(frozen=True)
class Poisson(Loss):
    """exp(z) - y z + (y log y - y), log link: half the Poisson deviance.  ``y`` float counts >= 0."""

    name = "poisson"
    targets = "counts"
    curvature_bound = math.inf
    self_concordance = 1.0
    attains_minimum = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        # y (e^d - 1 - d) with d = z - log y does not cancel near the optimum, as the plain formula does.
        d = z - y.clamp(min=1e-300).log()
        return torch.where(y > 0, y * (torch.expm1(d) - d), torch.exp(z))

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z) - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.exp(z)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        m = (dual + y).clamp(min=0)
        return xlogx(m) - m - xlogx(y) + y

    def dual_bounds(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return -y, torch.full_like(y, math.inf)

    def torch_twin(self) -> nn.Module:
        """``nn.PoissonNLLLoss`` differs by a constant that depends on y alone."""
        return torch.nn.PoissonNLLLoss(log_input=True)


@dataclass(frozen=True)
class Quantile(Loss):
    """Pinball loss: q r where r = y - z >= 0, (q - 1) r below (Koenker & Bassett 1978).  q in (0, 1)."""

    name = "quantile"
    targets = "real"
    curvature_bound = math.inf
    smooth = False
    quantile: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1:
            raise ValueError(f"quantile is {self.quantile}; it must lie strictly between 0 and 1.")

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        r = y - z
        return torch.maximum(self.quantile * r, (self.quantile - 1) * r)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        return (z > y).to(z.dtype) * (1 - self.quantile) - (z < y).to(z.dtype) * self.quantile

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        return torch.zeros_like(z)

    def conjugate(self, dual: Tensor, y: Tensor) -> Tensor:
        return dual * y

    def dual_bounds(self, y: Tensor) -> tuple[float, float]:
        return -self.quantile, 1 - self.quantile

    def torch_twin(self) -> nn.Module:
        """At the median: half of ``nn.L1Loss``; PyTorch has no other pinball loss."""
        return torch.nn.L1Loss()


LOSSES: dict[str, type[Loss]] = {
    c.name: c for c in (Squared, Logistic, Softmax, Hinge, SquaredHinge, Huber, Poisson, Quantile)
}


def as_loss(loss: str | Loss) -> Loss:
    """The loss of that name (``LOSSES``), or the loss itself.

    Raises
    ------
    ValueError : no loss has that name; the message lists those that exist and the nearest.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    import difflib

    near = difflib.get_close_matches(str(loss), LOSSES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"loss={loss!r} is not a loss; choose one of {', '.join(LOSSES)}.{hint}")
