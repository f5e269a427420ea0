"""The certificate: how far weights are from the optimum, and what proves it."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any


class Verdict(enum.Enum):
    """How a fit ended.  The value is the sentence a person reads."""

    OPTIMAL = "The weights are at the optimum, within the proven gap."
    NOT_UNIQUE = "The weights are at the optimum, which many weights share; these are the smallest of them."
    STATIONARY = "The weights are at a stationary point; the objective is not convex, so no more than that is proven."
    NO_MINIMUM = "There is no optimum: the loss keeps falling as the weights grow in the witness's direction."
    UNBOUNDED = "The objective falls without bound."
    INFEASIBLE = "No weights satisfy the constraints."
    INACCURATE = "The proven gap is larger than the tolerance."
    INTERRUPTED = "The fit was stopped early; the weights are the best so far."

    @property
    def sentence(self) -> str:
        """What it means, in a sentence."""
        return str(self.value)


@dataclass(frozen=True)
class Witness:
    """What proves a verdict other than OPTIMAL.

    kind : 'separating direction' (NO_MINIMUM), 'null space' (NOT_UNIQUE), 'stationary point' (STATIONARY).
    coef, intercept : the direction, in the user's units: nested lists of shape (K, p) and (K,).
    rank, columns : for a null space, the rank of the design matrix and its number of columns.
    rows : number of rows whose loss strictly falls along the direction.
    verified : how it was checked: 'exact' (rational arithmetic) or 'rounding' (float64 with its error bound).
    separation : for a separating direction of classes, 'complete' or 'quasi-complete'.
    text : the same in a sentence.
    """

    kind: str
    text: str
    coef: list[list[float]] | None = None
    intercept: list[float] | None = None
    rank: int | None = None
    columns: int | None = None
    rows: int | None = None
    verified: str | None = None
    separation: str | None = None


@dataclass(frozen=True)
class Certificate:
    """Proof of how good weights are.

    verdict : see Verdict.
    value : objective at the weights (weighted mean loss + penalty).
    gap : proven bound on value - optimum, in the objective's units.
    scale : what the gap is relative to: ``value``, or the rounding unit of the null model's where that is larger.
    tol : relative gap that was asked for.
    method : what proves the gap ('duality gap', 'strong convexity', 'self-concordance', 'normal equations', ...).
    digits : decimal digits of the coefficients that are proven right (the fewest over the coefficients), or None.
    witness : proof of NO_MINIMUM or NOT_UNIQUE.
    """

    verdict: Verdict
    value: float
    gap: float
    scale: float
    tol: float
    method: str
    digits: float | None = None
    witness: Witness | None = None

    @property
    def relative_gap(self) -> float:
        """gap / scale."""
        if self.gap == 0:
            return 0.0
        return self.gap / self.scale if self.scale > 0 else math.inf

    @property
    def lower_bound(self) -> float:
        """A number that no weights can go below."""
        return self.value - self.gap

    @property
    def optimal(self) -> bool:
        """The weights are proven to be at an optimum within ``tol``."""
        return self.verdict in (Verdict.OPTIMAL, Verdict.NOT_UNIQUE)

    @property
    def ended(self) -> bool:
        """The fit reached what there is to reach: an optimum, or a stationary point where no more can be proven."""
        return self.optimal or self.verdict is Verdict.STATIONARY

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        record = {k: getattr(self, k) for k in ("value", "gap", "scale", "tol", "method", "digits")}
        witness = None if self.witness is None else dict(vars(self.witness))
        return {"verdict": self.verdict.name, **record, "witness": witness}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Certificate:
        """The reverse of ``to_dict``."""
        witness = record.get("witness")
        rest = {k: record[k] for k in ("value", "gap", "scale", "tol", "method", "digits")}
        return cls(Verdict[record["verdict"]], **rest, witness=None if witness is None else Witness(**witness))

    def __str__(self) -> str:
        lines = [f"{self.verdict.name}: {self.verdict.sentence}"]
        if self.verdict is Verdict.STATIONARY:
            lines.append(f"objective {self.value:.10g}, at most {self.gap:.3g} above the least there can be")
        elif self.verdict is Verdict.NO_MINIMUM:
            lines.append(f"objective {self.value:.10g} here; it can fall by up to {self.gap:.3g} more")
        else:
            lines.append(
                f"objective {self.value:.10g}, proven within {self.gap:.3g} of the optimum"
                f" (relative {self.relative_gap:.1e}, asked {self.tol:.0e}; by {self.method})"
            )
        if self.digits is not None:
            lines.append(f"{self.digits:.1f} digits of every coefficient are proven right")
        if self.witness is not None:
            lines.append(self.witness.text)
        return "\n".join(lines)
