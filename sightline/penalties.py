"""Penalties on the coefficients, never on the intercept.

``value(w) = l1 Σ f_j |w_j| + ½ l2 Σ f_j² w_j²``, with w >= 0 besides where ``positive``.  The factors f are 1 in the
user's own units; a rescaled design matrix carries its scales in them, so that the penalty stays what the user asked
for.  Coefficients are (p,) or (p, K); factors (p,).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor


@dataclass(frozen=True)
class Penalty:
    """Elastic net with strengths ``l1`` and ``l2`` (either may be zero); ``positive`` asks for w >= 0.

    The objective is the weighted mean loss + this.  ``L1``, ``L2`` and ``ElasticNetPenalty`` make the usual ones.
    """

    l1: float = 0.0
    l2: float = 0.0
    positive: bool = False
    factors: Tensor | None = None

    jeffreys: ClassVar[bool] = False  # Firth's, which depends on the data as well

    def __post_init__(self) -> None:
        for name, strength in (("l1", self.l1), ("l2", self.l2)):
            if not (math.isfinite(strength) and strength >= 0):
                raise ValueError(f"penalty strength {name}={strength}; it must be a finite number >= 0.")

    @property
    def none(self) -> bool:
        """There is neither a penalty nor a sign constraint."""
        return self.l1 == 0 and self.l2 == 0 and not self.positive

    @property
    def smooth(self) -> bool:
        """Differentiable everywhere: no L1 part, no sign constraint."""
        return self.l1 == 0 and not self.positive

    def _column(self, factors: Tensor, like: Tensor) -> Tensor:
        return factors if like.ndim == 1 else factors[:, None]

    def l1_strengths(self, w: Tensor) -> Tensor | float:
        """L1 strength of each coefficient, broadcastable to ``w``."""
        return self.l1 if self.factors is None else self.l1 * self._column(self.factors, w)

    def l2_strengths(self, w: Tensor) -> Tensor | float:
        """L2 strength of each coefficient, broadcastable to ``w``."""
        return self.l2 if self.factors is None else self.l2 * self._column(self.factors, w).square()

    def value(self, w: Tensor) -> float:
        """Penalty of the coefficients; inf where ``positive`` is violated."""
        if self.positive and bool((w < 0).any()):
            return math.inf
        total = 0.0
        if self.l1:
            total += float((self.l1_strengths(w) * w.abs()).sum())
        if self.l2:
            total += 0.5 * float((self.l2_strengths(w) * w.square()).sum())
        return total

    def smooth_gradient(self, w: Tensor) -> Tensor | float:
        """Gradient of the L2 part."""
        return self.l2_strengths(w) * w if self.l2 else 0.0

    def prox(self, w: Tensor, step: float | Tensor) -> Tensor:
        """argmin_u  ½ |u - w|² / step + value(u), coordinate by coordinate."""
        threshold = step * self.l1_strengths(w)
        shrunk = (w - threshold).clamp(min=0) if self.positive else torch.sign(w) * (w.abs() - threshold).clamp(min=0)
        return shrunk / (1 + step * self.l2_strengths(w))

    def conjugate(self, v: Tensor) -> float:
        """sup_w (v·w - value(w)); inf outside the domain."""
        excess = (v if self.positive else v.abs()) - self.l1_strengths(v)
        excess = excess.clamp(min=0)
        if self.l2 == 0:
            return math.inf if bool((excess > 0).any()) else 0.0
        return 0.5 * float(torch.where(excess > 0, excess.square() / self.l2_strengths(v), 0.0).sum())

    def subgradient_distance(self, w: Tensor, gradient: Tensor) -> Tensor:
        """Distance of -gradient (of the loss) from the penalty's subdifferential at ``w``, coordinate by coordinate."""
        g = gradient + self.smooth_gradient(w)
        strength = self.l1_strengths(w)
        away = (g + strength * torch.sign(w)).abs()
        below = (-g - strength).clamp(min=0)
        at_zero = below if self.positive else (g.abs() - strength).clamp(min=0)
        return torch.where(w == 0, at_zero, away)

    def scaled(self, scale: Tensor) -> Penalty:
        """The same penalty for coefficients w·scale of columns x/scale."""
        factors = 1 / scale if self.factors is None else self.factors / scale
        return replace(self, factors=None if self.none else factors)

    def columns(self, index: Tensor) -> Penalty:
        """The penalty of the chosen coefficients alone."""
        return self if self.factors is None else replace(self, factors=self.factors[index])

    def __str__(self) -> str:
        parts = [f"{name.upper()} {s:g}" for name, s in (("l1", self.l1), ("l2", self.l2)) if s]
        return (" + ".join(parts) or "none") + (", coefficients >= 0" if self.positive else "")


def L2(strength: float) -> Penalty:  # noqa: N802 - the field's own name
    """½ strength Σ w²: ridge.  scikit-learn's ``C`` is 1 / (strength · sum of weights)."""
    return Penalty(l2=float(strength))


def L1(strength: float) -> Penalty:  # noqa: N802
    """Strength Σ |w|: the lasso."""
    return Penalty(l1=float(strength))


def ElasticNetPenalty(strength: float, l1_ratio: float = 0.5) -> Penalty:  # noqa: N802
    """Strength · (l1_ratio Σ |w| + ½ (1 - l1_ratio) Σ w²), as scikit-learn's ``ElasticNet``."""
    if not 0 <= l1_ratio <= 1:
        raise ValueError(f"l1_ratio is {l1_ratio}; it must lie between 0 (L2) and 1 (L1).")
    return Penalty(l1=strength * l1_ratio, l2=strength * (1 - l1_ratio))


@dataclass(frozen=True)
class Firth(Penalty):
    """Jeffreys' prior, -½ log det of the Fisher information: bias-reduced logistic regression (Firth 1993).

    For the logistic loss with two classes. Its estimates are finite whether or not the classes are separated. The
    penalty depends on the data, so it has no strength and no value of the coefficients alone; the intercept takes part.

    >>> import sightline as sl
    >>> sl.fit([[0.0], [1], [2], [3]], [0, 0, 1, 1], loss="logistic", penalty=sl.Firth()).certificate.verdict.name
    'STATIONARY'
    """

    jeffreys: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.l1 or self.l2 or self.positive or self.factors is not None:
            raise ValueError("Firth() takes no strength, no signs and no factors.")

    @property
    def none(self) -> bool:
        """It is a penalty."""
        return False

    def value(self, w: Tensor) -> float:
        """Not a function of the coefficients alone.

        Raises
        ------
        ValueError : always.
        """
        raise ValueError("Firth's penalty depends on the data; sl.fit, sl.certify and sl.profile_intervals take it.")

    def __str__(self) -> str:
        return "Firth (Jeffreys prior)"


NONE = Penalty()


def as_penalty(
    penalty: str | Penalty | None, *, strength: float | None = None, l1_ratio: float | None = None
) -> Penalty:
    """The penalty meant by a name and a strength, or the penalty itself.

    Raises
    ------
    ValueError : unknown name, or a strength that is missing, superfluous or not a finite number >= 0.
    """
    if isinstance(penalty, Penalty):
        if strength is not None or l1_ratio is not None:
            raise ValueError("penalty= is an object that holds its strength; leave out strength=, C= and l1_ratio=.")
        return penalty
    if penalty is None or penalty == "none":
        if strength is not None:
            raise ValueError("a strength (or C) was given without a penalty: penalty='l2', 'l1' or 'elasticnet'.")
        return NONE
    if penalty == "firth":
        if strength is not None or l1_ratio is not None:
            raise ValueError("penalty='firth' has no strength; leave out strength=, C= and l1_ratio=.")
        return Firth()
    makers = {"l1": L1, "l2": L2}
    if penalty not in (*makers, "elasticnet"):
        raise ValueError(f"penalty={penalty!r} is not a penalty; choose one of none, l2, l1, elasticnet, firth.")
    if strength is None:
        raise ValueError(f"penalty={penalty!r} needs its strength: strength=..., or C=... as scikit-learn means it.")
    if penalty == "elasticnet":
        return ElasticNetPenalty(strength, 0.5 if l1_ratio is None else l1_ratio)
    return makers[penalty](strength)
