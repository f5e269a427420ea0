"""The pictures of the report, from the facts of a fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from sightline.coefficient import INTERCEPT, Coefficient, beside
from sightline.report.draw import Scale, digits, dot, frame, line, small, svg, ticks, word
from sightline.summary import Summary

ROW = 30  # pixels of a coefficient's row
TALL = 220


def figure(title: str, words: str, picture: str, wide: bool = False) -> str:
    """A picture with its title and what it shows."""
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}><figcaption><b>{escape(title)}</b>{escape(words)}</figcaption>{picture}</figure>"


def effect(c: Coefficient, value: float | None) -> float | None:
    """A value of a coefficient as it is drawn: for one standard deviation of its column where that is known."""
    return None if value is None else value * c.spread if c.spread is not None else value


def coefficient_scale(parts: Sequence[Sequence[Coefficient]]) -> Scale:
    """One scale for all coefficients that are drawn, zero included."""
    seen = [0.0]
    for part in parts:
        for c in part:
            if c.name != INTERCEPT:
                values = (effect(c, v) for v in (c.estimate, c.low, c.high))
                seen += [v for v in values if v is not None and math.isfinite(v)]
    margin = 0.03 * (max(seen) - min(seen)) or 0.5
    return Scale(min(seen) - margin, max(seen) + margin)


def coefficients(part: Sequence[Coefficient], scale: Scale, summary: Summary) -> str:
    """A table of coefficients with their dots and intervals."""
    known = summary.reason_without_errors is None
    places = scale.ticks(4)
    axis = svg(20, [word(at, 14, text) for at, text in places], None)
    head = [
        '<th scope="col">column</th>', f'<th class="pic">{axis}</th>', '<th scope="col" class="num">coefficient</th>',
        *(['<th scope="col" class="num">95 % interval</th>', f'<th scope="col" class="num">{summary.statistic}</th>']
          if known else []),
    ]  # fmt: skip
    rows = [_row(c, scale, [at for at, _ in places], known) for c in part]
    return f'<table class="coef"><thead><tr>{"".join(head)}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _row(c: Coefficient, scale: Scale, places: Sequence[float], known: bool) -> str:
    drawn = "" if c.name == INTERCEPT else _whisker(c, scale, places)
    cells = [
        f'<td class="name{"" if c.clear else " faint"}">{escape(c.name)}</td>', f'<td class="pic">{drawn}</td>',
        f'<td class="num">{_minus(beside(c.estimate, c.error))}</td>',
    ]  # fmt: skip
    if known:
        low, high = (_minus(beside(v, c.error)) if v is not None else "–" for v in (c.low, c.high))
        statistic = "–" if c.statistic is None else _minus(f"{c.statistic:.2f}")
        cells += [f'<td class="num between">{low} to {high}</td>', f'<td class="num stat">{statistic}</td>']
    return f"<tr>{''.join(cells)}</tr>"


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _whisker(c: Coefficient, scale: Scale, places: Sequence[float]) -> str:
    middle = ROW / 2
    parts = [line(at, 0, at, ROW, "grid") for at in places]
    parts.append(line(scale(0), 0, scale(0), ROW, "zero"))
    at, low, high = (effect(c, v) for v in (c.estimate, c.low, c.high))
    assert at is not None
    words = f"{c.name}: {digits(at, 3)}"
    if low is not None and high is not None:
        parts.append(line(scale(low), middle, scale(high), middle, "mark"))
        words += f", 95 % interval {digits(low, 3)} to {digits(high, 3)}"
    else:
        parts.append(line(scale(0), middle, scale(at), middle, "mark"))
    parts.append(dot(scale(at), middle, "dot" if c.clear else "hollow", 4.5))
    return svg(ROW, parts, words)


def gap(summary: Summary) -> str | None:
    """The proven relative gap by step on a log scale, with the tolerance; None where there is nothing to draw."""
    trace, tol = summary.facts["trace"], summary.result.certificate.tol
    points = [(s, g) for s, g in zip(trace["step"], trace["gap"], strict=True) if g is not None and g > 0]
    if len(points) < 3:
        return None
    logs = [math.log10(g) for _, g in points] + [math.log10(tol)]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    every = max(1, math.ceil((high - low) / 6))
    high = low + every * math.ceil((high - low) / every)
    y = Scale(low, high, TALL, 8)
    last = points[-1][0]
    x = Scale(0, last, 1, 99)
    places = [(x(v), f"{v:,.0f}") for v in ticks(0, last, 8) if v == round(v)]
    labels = [(y(e), "1" if e == 0 else f"1e{e}".replace("-", "−")) for e in range(low, high + 1, every)]
    spots = [(x(s), y(math.log10(g))) for s, g in points]
    parts = [line(a, b, c, d, "mark") for (a, b), (c, d) in zip(spots, spots[1:])]
    if len(spots) <= 60:
        parts += [dot(a, b, radius=3) for a, b in spots]
    at = y(math.log10(tol))
    parts.append(line(0, at, 100, at, "limit"))
    parts.append(word(100, at - 6, f"asked: {small(tol, 0)}", "end", "limit-name"))
    words = f"The relative gap falls from {points[0][1]:.1e} to {points[-1][1]:.1e} in {last} steps; asked: {tol:.0e}."
    return frame(TALL, x, labels, parts, words, "step", places)


def predictions(summary: Summary) -> list[str]:
    """The pictures of how well it predicts, that the loss has."""
    facts = summary.facts["picture"] or {}
    n = facts.get("n", 0)
    found = []
    if facts.get("histogram"):
        found.append(histogram(facts["histogram"], summary))
    if facts.get("calibration"):
        found.append(calibration(facts["calibration"], summary))
    if facts.get("confusion"):
        found.append(confusion(facts["confusion"], n))
    if facts.get("rates"):
        found.append(rates(facts["rates"]))
    if facts.get("points"):
        found.append(scatter(facts["points"], n, summary))
    return found


def confusion(facts: dict[str, Any], n: int) -> str:
    """Counts of what was true by what was predicted."""
    classes, counts = facts["classes"], facts["counts"]
    head = "".join(f'<th scope="col">{escape(c)}</th>' for c in classes)
    rows = []
    for k, name in enumerate(classes):
        total = sum(counts[k]) or 1
        cells = []
        for j, count in enumerate(counts[k]):
            share = count / total
            colour = f"rgba(var(--tint),{0.08 + 0.42 * share:.2f})" if count else "var(--panel)"
            strong = f"<b>{count:,}</b>" if j == k else f"{count:,}"
            cells.append(f'<td style="background:{colour}">{strong}</td>')
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    table = (
        '<div class="scroll"><table class="confusion"><thead><tr><th scope="col">true ↓ predicted →</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    right = sum(counts[k][k] for k in range(len(classes)))
    return figure("Right and wrong", f"{right:,} of {n:,} rows are told rightly.", table, wide=len(classes) > 3)


def histogram(facts: dict[str, Any], summary: Summary) -> str:
    """How the two classes spread over the predictions: one upwards, the other downwards."""
    first, second = facts["counts"]
    names = [str(c) for c in summary.result.classes or ("0", "1")]
    most = max([*first, *second, 1])
    half, count = TALL / 2, len(first)
    width = 100 / count
    parts = []
    for k, (up, down) in enumerate(zip(second, first, strict=True)):
        at, size = round(k * width + 0.1 * width, 2), round(0.8 * width, 2)
        high, low = (round((half - 18) * c / most, 1) for c in (up, down))
        parts.append(f'<rect class="bar" x="{at}%" y="{half - high}" width="{size}%" height="{high}"/>')
        parts.append(f'<rect class="bar other" x="{at}%" y="{half}" width="{size}%" height="{low}"/>')
    parts.append(line(0, half, 100, half, "axis"))
    parts += [word(0, 12, f"▲ {names[1]}", "start"), word(0, TALL - 6, f"▼ {names[0]}", "start")]
    x = Scale(facts["low"], facts["high"])
    logistic = summary.result.loss.name == "logistic"
    name = f"predicted probability of {names[1]}" if logistic else "score"
    words = f"Rows of {names[1]} by {name} upwards: {second}; rows of {names[0]} downwards: {first}."
    picture = frame(TALL, x, [(half, "0")], parts, words, name)
    what = "each class by its predicted probability" if logistic else "each class by its score"
    return figure("How far apart", f"Rows of {what}: the less the two overlap, the better.", picture)


def calibration(rows: Sequence[Sequence[float]], summary: Summary) -> str:
    """Predicted against observed shares, with intervals."""
    x, y = Scale(0, 1, 2, 98), Scale(0, 1, TALL, 8)
    parts = [line(x(0), y(0), x(1), y(1), "zero")]
    for mean, seen, low, high, _ in rows:
        parts += [line(x(mean), y(low), x(mean), y(high), "mark"), dot(x(mean), y(seen))]
    several = summary.result.loss.name == "softmax"
    told = "; ".join(f"{mean:.2f}: {seen:.2f}" for mean, seen, *_ in rows)
    name = "predicted probability" + (" of the likeliest class" if several else "")
    labels = [(y(v), f"{v:g}") for v in (0, 0.25, 0.5, 0.75, 1)]
    picture = frame(TALL, x, labels, parts, f"Predicted: observed. {told}.", name)
    what = "share that was " + ("right" if several else str((summary.result.classes or ("", ""))[1]))
    return figure(
        "Calibration", f"Tenths of the rows by predicted probability: the {what}, with its 95 % interval. On the dotted"
        " line the two agree.", picture, wide=len(summary.result.classes or ()) > 3,
    )  # fmt: skip


def rates(rows: Sequence[Sequence[float]]) -> str:
    """Predicted against observed mean counts."""
    top = max(max(row[0], row[3]) for row in rows)
    low = min(min(row[0], row[2]) for row in rows)
    low = 0.0 if low < 0.5 * top else low
    margin = 0.03 * (top - low)
    x, y = Scale(low - margin, top + margin), Scale(low - margin, top + margin, TALL, 8)
    parts = [line(0, y(x.low), 100, y(x.high), "zero")]
    for mean, seen, least, most, _ in rows:
        parts += [line(x(mean), y(least), x(mean), y(most), "mark"), dot(x(mean), y(seen))]
    told = "; ".join(f"{mean:.3g}: {seen:.3g}" for mean, seen, *_ in rows)
    picture = frame(TALL, x, y.ticks(), parts, f"Predicted: observed. {told}.", "predicted count")
    return figure(
        "Predicted and observed counts", "Tenths of the rows by predicted count, and their mean count with its 95 %"
        " interval: on the dotted line they agree.", picture,
    )  # fmt: skip


def scatter(points: Sequence[Sequence[float]], n: int, summary: Summary) -> str:
    """Predicted against actual."""
    said, true = points
    low, high = min(*said, *true), max(*said, *true)
    margin = 0.03 * (high - low)
    x, y = Scale(low - margin, high + margin), Scale(low - margin, high + margin, TALL + 40, 8)
    parts = [dot(x(a), y(b), "point", 3.5) for a, b in zip(said, true, strict=True)]
    parts.append(line(0, y(x.low), 100, y(x.high), "zero"))
    shown = f"{len(said):,} of {n:,} rows, evenly chosen" if len(said) < n else f"{n:,} rows"
    name = "predicted " + summary.target
    words = f"Actual against predicted {summary.target} of {shown}; see the metrics for how close they are."
    picture = frame(TALL + 40, x, y.ticks(), parts, words, name)
    told = f"Each dot is a row ({shown}); on the dotted line they agree."
    return figure("Predicted and actual", told, picture)

