"""The five answers in words."""

from __future__ import annotations

import math
import textwrap

from sightline.constraints.result import ConstraintReport

WIDTH = 110


def words(report: ConstraintReport) -> str:
    """The report as plain text, a paragraph an answer."""
    lines = ["Constraints: " + ", ".join(report.constraints)]
    lines.append(f"without them the optimum is {report.free:.10g}: {_rates(report, report.free_rates)}")
    lines += ["", *_proxy(report), *_exact(report)]
    if report.guarantee is not None:
        lines += _guarantee(report)
    lines.append(f"The weights are those of {_NAMES[report.delivered]}.")
    return "\n".join(piece for line in lines for piece in (textwrap.wrap(line, WIDTH, subsequent_indent="   ") or [""]))


_NAMES = {
    "exact": "the true rates (2)", "guarantee": "the guarantee for new data (4)", "proxy": "the convex proxy (1)",
    "free": "the optimum without constraints, which does not meet them",
}  # fmt: skip


def _rates(report: ConstraintReport, rates: tuple[float, ...]) -> str:
    names = [c.replace(" >= ", "|").replace(" <= ", "|").rsplit("|", 1)[0] for c in report.constraints]
    return ", ".join(f"{name} {rate:.4g}" for name, rate in dict(zip(names, rates)).items())


def _proxy(report: ConstraintReport) -> list[str]:
    way = report.proxy
    if way.infeasible:
        return [f"1  Convex proxy: its hinge bounds cannot be kept by any weights, proven. {way.note}"]
    prices = ", ".join(f"{price:.6g}" for price in report.multipliers)
    return [
        f"1  Convex proxy (hinge bounds on the rates): objective {way.value:.10g}, proven within {way.gap:.1e};"
        f" multiplier {prices}; {_rates(report, way.rates)}"
    ]


def _exact(report: ConstraintReport) -> list[str]:
    way = report.exact
    if way.infeasible:
        return [f"2  True rates: no weights meet them on these rows, proven. {way.note}", *_attained(report)]
    if way.weight is None:
        return [f"2  True rates: none found and none excluded. {way.note}", *_attained(report)]
    rates = _rates(report, way.rates)
    if way.gap <= 1e-6 * abs(way.value):
        return [f"2  True rates: objective {way.value:.10g}, proven to be the least of all that meet them; {rates}"]
    return [
        f"2  True rates: objective {way.value:.10g}; the least of all that meet them lies between {way.bound:.6g} and"
        f" that; {rates}. {way.note}"
    ]


def _attained(report: ConstraintReport) -> list[str]:
    if not report.attained:
        return []
    parts = [f"{c}: {a:.4g}" for c, a in zip(report.constraints, report.attained) if not math.isnan(a)]
    return ["3  Reached, each while the others hold: " + ", ".join(parts)] if parts else []


def _guarantee(report: ConstraintReport) -> list[str]:
    g, way = report.guarantee, report.guaranteed
    assert g is not None
    lines = []
    if g.holds:
        proofs = "; ".join(
            f"{p.constraint}: {p.rate:.4g} on {p.rows} held-out rows"
            + (f", at most {p.errors} errors allowed" if p.errors is not None else "")
            for p in g.proofs
        )
        lines.append(
            f"4  New data: with probability {1 - g.delta:g} the rates hold, whatever the distribution. {proofs}"
        )
    else:
        lines.append(f"4  New data: no guarantee. {g.reason}")
        if g.kind == "out of fold" and way is not None:
            lines.append(f"   Out of fold, without proof: {_rates(report, way.rates)}")
    if g.ceiling:
        lines.append(f"   {g.ceiling}")
    return lines


