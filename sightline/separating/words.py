"""A separation and its limit, as text."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightline.coefficient import beside, number

if TYPE_CHECKING:
    from sightline.separating.limit_fit import LimitFit
    from sightline.separating.separation import Fate, Separation

MOST = 40  # coefficients listed
ROWS = 20  # rows listed
WIDTH = 110

LIMIT = "limit fit        sl.separation(X, y).limit_fit(), --limit: finite coefficients from the rows that overlap"
FIRTH = "bias-reduced     penalty=sl.Firth(), --penalty firth: finite estimates with profile-likelihood intervals"
RIDGE = "ridge            C=1, --C 1: an L2 penalty"
MARGIN = "maximum margin   sl.MaxMarginClassifier(): the separating hyperplane farthest from both classes"
_WORDS = {
    "+Inf": "tends to +Inf", "-Inf": "tends to -Inf", "finite": "finite",
    "direction-dependent": "depends on the direction: there are separating ones of either sign",
    "aliased": "a combination of the columns before it: left out", "undetermined": "not determined",
}  # fmt: skip
_OVERLAP = {
    "proven": "The other {rows} overlap, proven: no direction separates any more of them.",
    "rounding": "The other {rows} overlap: no direction separates any more of them (in float64, rounding included).",
    "not proven": "Among the other {rows} the search found no more; that there are none is not proven.",
    "": "",
}


def text(found: Separation) -> str:
    """A separation in words."""
    lines = [_headline(found)]
    if found.direction is not None:
        how = "exact arithmetic" if found.direction.verified == "exact" else "float64, to within the data's rounding"
        lines.append(f"The separating direction was verified in {how}. {_overlap(found)}".rstrip())
    elif found.overlap:
        lines.append(
            "Proven: the rows overlap, so the maximum-likelihood estimate exists." if found.overlap == "proven"
            else "The search found no separating direction; that there is none is not proven."
        )  # fmt: skip
    for label in found.absent:
        lines.append(f"The class {str(label)!r} has no rows: its probability tends to zero.")
    if len(found.classes) > 2:
        lines.append(f"Coefficients are those of each class against {found.reference!r}.")
    lines = [piece for line in lines for piece in textwrap.wrap(line, WIDTH)]
    lines += ["", *_table(found)]
    if found.n_rows:
        shown = ", ".join(str(int(i)) for i in found.rows[:ROWS])
        more = f" and {found.n_rows - ROWS:,} more" if found.n_rows > ROWS else ""
        lines += ["", *textwrap.wrap(f"rows separated: {shown}{more}", WIDTH, subsequent_indent="  ")]
    if found.separated:
        lines += ["", "What can be fitted:", *("  " + way for way in _ways_out(found))]
    return "\n".join(lines)


def _ways_out(found: Separation) -> list[str]:
    complete, two = found.kind == "complete", len(found.classes) == 2
    ways = [] if complete else [LIMIT]  # with every row separated, none is left for it
    ways += [FIRTH] if two else []
    ways.append(RIDGE)
    return ways + ([MARGIN] if complete and two and not found.absent else [])


def _headline(found: Separation) -> str:
    names = [repr(str(c)) for c in found.classes[:6]]
    listed = " and ".join(names) if len(names) == 2 else ", ".join(names) + (", ..." if len(found.classes) > 6 else "")
    if found.kind == "none":
        return f"No separation: {found.n:,} rows of {listed}."
    if found.kind == "complete":
        return (
            f"Complete separation: all {found.n:,} rows of {listed} are told apart without error."
            " There is no finite estimate without a penalty."
        )
    if len(found.classes) > 2:
        return (
            f"Quasi-complete separation: of {found.n:,} rows of {listed}, {found.n_rows:,} are told apart from some"
            f" other class without error, {len(found.settled):,} of them from all others. There is no finite estimate"
            " without a penalty."
        )
    return (
        f"Quasi-complete separation: {found.n_rows:,} of {found.n:,} rows of {listed} are told apart without error,"
        " the others lie on the boundary. There is no finite estimate without a penalty."
    )


def _overlap(found: Separation) -> str:
    left = found.n - len(found.settled)
    return _OVERLAP[found.overlap].format(rows="row" if left == 1 else f"{left:,} rows")


def _table(found: Separation) -> list[str]:
    many = len(found.classes) > 2
    order = {"+Inf": 0, "-Inf": 0, "direction-dependent": 1, "undetermined": 1, "aliased": 2, "finite": 3}
    listed: Sequence[Fate] = found.coefficients
    left = max(0, len(listed) - MOST)
    if left:
        listed = sorted(listed, key=lambda c: order[c.fate])[:MOST]
    header = (*(("class",) if many else ()), "coefficient", "", "direction")
    rows = [
        (*((c.output,) if many else ()), c.column, _WORDS[c.fate], number(c.step) if found.separated else "")
        for c in listed
    ]
    lines = columns(header if found.separated else header[:-1], rows)
    if left:
        counts = {fate: len(found.of(fate)) for fate in order}
        told = ", ".join(f"{count:,} {fate}" for fate, count in counts.items() if count)
        lines.append(f"... {left:,} more; of all {len(found.coefficients):,}: {told}")
    return lines


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A plain table: the last column to the right, the others to the left."""
    wide = [max(len(name), *(len(row[j]) for row in rows)) if rows else len(name) for j, name in enumerate(header)]
    lines = []
    for row in (header, *rows):
        cells = [cell.rjust(w) if j == len(wide) - 1 else cell.ljust(w) for j, (cell, w) in enumerate(zip(row, wide))]
        lines.append("  ".join(cells).rstrip())
    return lines


def limit_text(fit: LimitFit) -> str:
    """A limit fit in words."""
    many = len(fit.classes) > 2
    rows = []
    for c, value, error in zip(fit.coefficients, fit.estimates, fit.errors):
        known = None if math.isnan(error) else error
        shown = c.fate if math.isnan(value) else number(value) if math.isinf(value) else beside(value, known)
        rows.append((*((c.output,) if many else ()), c.column, shown, number(known, 3)))
    lines = [
        f"Limit fit: {fit.rows:,} of {fit.n:,} rows overlap; residual deviance {fit.deviance:.7g},"
        f" within {2 * fit.gap:.1e} of the least.",
        "",
        *columns((*(("class",) if many else ()), "coefficient", "estimate", "std. error"), rows),
    ]
    return "\n".join(lines)
