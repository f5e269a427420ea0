"""What a constrained fit gives: the five answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from sightline.certificate import Certificate, Verdict
from sightline.constraints.guarantee import Guarantee
from sightline.result import Result

if TYPE_CHECKING:
    from sightline.constraints.frontier import Frontier
    from sightline.constraints.problem import Problem


@dataclass(frozen=True)
class Way:
    """Weights that keep the constraints in one sense, and what they cost.

    weight, bias : (1, p) and (1,) float64, in the data's units; None where there are none.
    value : objective on the training rows; inf.  bound : proven: no weights that keep the constraints in this sense are
    below; inf where it is proven that there are none.  rates : each constraint's rate on the training rows.
    note : how it was reached or why not.
    """

    weight: Tensor | None
    bias: Tensor | None
    value: float
    bound: float
    rates: tuple[float, ...]
    note: str = ""

    @property
    def gap(self) -> float:
        """value - bound, not below zero."""
        return max(self.value - self.bound, 0.0) if self.weight is not None else float("inf")

    @property
    def infeasible(self) -> bool:
        """It is proven that no weights keep the constraints in this sense."""
        return self.weight is None and self.bound == float("inf")


@dataclass(frozen=True)
class ConstraintReport:
    """The five answers.

    constraints : as asked.  free : the objective's optimum without constraints.  free_rates : its rates.
    proxy : hinge bounds on the rates.  multipliers : what a unit of each constraint's level is worth there.
    exact : the true rates.  guarantee : for new data; None where none was asked for.  guaranteed : its weights.
    attained : the level of each constraint that was reached while the others held, where not all could be met.
    delivered : which of them the result's weights are: 'exact', 'proxy', 'guarantee' or 'free'.
    """

    constraints: tuple[str, ...]
    free: float
    free_rates: tuple[float, ...]
    proxy: Way
    multipliers: tuple[float, ...]
    exact: Way
    guarantee: Guarantee | None
    guaranteed: Way | None
    attained: tuple[float, ...]
    delivered: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""

        def plain(way: Way | None) -> Any:
            if way is None:
                return None
            lists = {
                "weight": None if way.weight is None else way.weight.tolist(),
                "bias": None if way.bias is None else way.bias.tolist(),
            }
            numbers = {"value": _finite(way.value), "bound": _finite(way.bound), "gap": _finite(way.gap)}
            rates = [_finite(r) for r in way.rates]
            return {**lists, **numbers, "rates": rates, "infeasible": way.infeasible, "note": way.note}

        given = None
        if self.guarantee is not None:
            g = self.guarantee
            proofs = [{**vars(p), "rate": _finite(p.rate)} for p in g.proofs]
            given = {"kind": g.kind, "delta": g.delta, "threshold": g.threshold, "proofs": proofs, "reason": g.reason,
                     "ceiling": g.ceiling}  # fmt: skip
        return {
            "constraints": list(self.constraints), "free": self.free,
            "free_rates": [_finite(r) for r in self.free_rates],
            "proxy": plain(self.proxy), "multipliers": list(self.multipliers), "exact": plain(self.exact),
            "guarantee": given, "guaranteed": plain(self.guaranteed),
            "attained": [_finite(a) for a in self.attained], "delivered": self.delivered,
        }  # fmt: skip

    def __str__(self) -> str:
        from sightline.constraints.words import words

        return words(self)


def _finite(v: float) -> float | None:
    return v if abs(v) < float("inf") else None


@dataclass(frozen=True)
class ConstrainedResult(Result):
    """A ``Result`` whose weights keep constraints on rates, with the five answers in ``constraints``.

    ``weight`` and ``bias`` are float64 whatever the data's dtype: true rates are a matter of the last digits.
    """

    constraints: ConstraintReport | None = None
    problem: Problem | None = field(default=None, repr=False, compare=False)

    def guaranteed(self) -> ConstrainedResult:
        """The model whose rates hold on new data, its threshold in the bias.

        Its certificate compares it with the optimum without constraints: it is not meant to be the best on the
        training rows.

        Raises
        ------
        ValueError : there is no guarantee; the message says why.
        """
        report = self.constraints
        assert report is not None
        if report.guarantee is None:
            raise ValueError("no guarantee was asked for: fit with delta=0.05, say.")
        way = report.guaranteed
        if way is None or way.weight is None or way.bias is None or not report.guarantee.holds:
            raise ValueError(f"there is no guarantee for new data. {report.guarantee.reason}")
        gap = max(way.value - report.free, 0.0)
        certificate = Certificate(
            Verdict.INACCURATE, way.value, gap, abs(way.value), self.certificate.tol, "optimum without constraints"
        )
        moved = replace(report, delivered="guarantee")
        extra = {**self.extra, "constraints": moved.to_dict()}
        return replace(
            self, weight=way.weight, bias=way.bias, certificate=certificate, constraints=moved, extra=extra,
            solver="interior point on a part of the rows; threshold by order statistics of the others",
        )  # fmt: skip

    def frontier(self, constraint: int = 0, levels: Any = None) -> Frontier:
        """What each level of one of the constraints costs; see ``sightline.constraints.frontier``.

        Raises
        ------
        ValueError : the result was loaded from a file, so the rows are not known any more.
        """
        from sightline.constraints.frontier import frontier

        if self.problem is None:
            raise ValueError("the frontier needs the training rows, and this result does not have them; fit it again.")
        return frontier(self.problem, constraint, levels)

    def __str__(self) -> str:
        return f"{super().__str__()}\n\n{self.constraints}"
