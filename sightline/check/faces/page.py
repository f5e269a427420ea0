"""A report as one page of HTML that needs nothing else: the findings, and the pictures of this training."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sightline import __version__
from sightline.check.faces.page_style import CHECK
from sightline.check.faces.pictures import Drawing
from sightline.check.faces.pictures import pictures as drawn_of
from sightline.check.faces.words import (
    Sources,
    counts,
    ends,
    opened,
    plain,
    sentence,
    training_words,
    tried_table,
    value_of,
)
from sightline.check.finding import Finding, Place, Report, Severity, Tried
from sightline.check.verdict import verdict
from sightline.report.style import STYLE
from sightline.report.writing import GENERATOR

# A sign beside each colour, so that nothing is said by colour alone.
SIGNS = {Severity.ERROR: "✕", Severity.WARNING: "!", Severity.ADVICE: "i"}
SHORT = 16  # letters of a number; what is longer is a text
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(report: Report, pictures: Sequence[Drawing] | None = None) -> str:
    """The page as text, below 300 kB unless the findings alone are longer.

    pictures : those to show; None draws what ``report.drawn`` allows.
    """
    notes: list[str] = []
    if pictures is None:
        pictures, notes = drawn_of(report.drawn)
    name = sentence(report.script)
    sources = Sources()
    findings = "".join(_finding(k, finding, sources) for k, finding in enumerate(report.findings, 1))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR} {__version__}">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(name)} · check</title><style>{STYLE}{CHECK}</style></head><body><main>"
        f"{_header(report, name)}{_summary(report)}{findings}{_pictures(pictures)}"
        f"{_notes([report.unrecovered, *report.notes, *notes])}"
        f"<footer>Written by Sightline {__version__}. This page needs no network and holds no scripts.</footer>"
        "</main></body></html>\n"
    )


def _header(report: Report, name: str) -> str:
    words = report.verdict or verdict(report.findings, report.reached, report.ending)
    words = sentence(words)
    mark, kind = ("✓", "") if report.healthy else ("✕", " warn")
    training = training_words(report.training)
    lead = f'<p class="lead">{escape(training[:1].upper() + training[1:])}.</p>' if training else ""
    number = counts(report.findings)
    facts = [f"{number[:1].upper()}{number[1:]}."] if number else []
    facts += [ends(report)] if ends(report) else []
    if report.error:
        facts.append(f"The script ended in an error: {sentence(report.error)}")
    elif report.ending != "finished":
        facts.append(f"The script was {sentence(report.ending)}; this page holds for what was seen until then.")
    more = "".join(f"<p>{escape(fact)}</p>" for fact in facts)
    return (
        f'<header><p class="brand">Sightline · check</p><h1>{escape(name)}</h1>{lead}'
        f'<div class="verdict{kind}"><p><b>{mark} {_code_words(opened(words))}</b></p>{more}</div></header>'
    )


def _summary(report: Report) -> str:
    """Links to the findings, where there are several."""
    if len(report.findings) < 2:
        return ""
    items = "".join(
        f'<li><a href="#finding-{k}">{_badge(f.severity)}<span>{_code_words(opened(sentence(f.what)))}</span></a></li>'
        for k, f in enumerate(report.findings, 1)
    )
    return f'<nav aria-label="Findings"><ol>{items}</ol></nav>'


def _badge(severity: Severity) -> str:
    return f'<span class="badge {severity.value}"><i aria-hidden="true">{SIGNS[severity]}</i>{severity.value}</span>'


def _finding(k: int, finding: Finding, sources: Sources) -> str:
    what = sentence(finding.what)
    parts = [
        f'<p class="kind">{_badge(finding.severity)}<code>{escape(finding.rule)}</code></p>',
        f"<h2>{_code_words(opened(what))}</h2>",
    ]
    if finding.where is not None:
        parts.append(_place(finding.where, finding.others, sources))
    parts.append(_numbers(finding))
    parts.append(f"<p>{_code_words(sentence(finding.why))}</p>" if finding.why else "")
    if finding.fix.strip():
        parts.append(f"<h3>What mends it</h3>{_fix(sources.fix(finding))}")
    if finding.tried is not None:
        parts.append(_tried(finding.tried))
    parts.append(f'<p class="small">More about the rule: <code>sightline rule {escape(finding.rule)}</code></p>')
    return f'<article id="finding-{k}" class="{finding.severity.value}">{"".join(parts)}</article>'


def _place(place: Place, others: Sequence[Place], sources: Sources) -> str:
    """The file and line, and the code among its neighbours."""
    inside = "" if place.function == "<module>" else f" in <code>{escape(plain(place.function))}</code>"
    also = ", ".join(f"{escape(plain(p.file))}:{p.line}" for p in others)
    also = f"; also at {also}" if also else ""
    where = f'<p class="where"><b>{escape(plain(place.file))}:{place.line}</b>{inside}{also}</p>'
    rows = "".join(
        f'<span class="line{" meant" if code.meant else ""}"><span class="at">{code.line}</span>'
        f"<span>{_indented(code.text)}</span></span>"
        for code in sources.excerpt(place)
    )
    return where + (f'<pre class="excerpt" tabindex="0">{rows}</pre>' if rows else "")


def _indented(code: str) -> str:
    """A line of code whose indent is not underlined."""
    body = code.lstrip()
    return f"{' ' * (len(code) - len(body))}<u>{escape(body, quote=False)}</u>"


def _numbers(finding: Finding) -> str:
    told = [("Measured", finding.measured), *([("Bound", finding.bound)] if finding.bound is not None else [])]
    cells = ""
    for name, n in told:
        value = sentence(value_of(n))
        kind = "value" if len(value) <= SHORT else "value text"
        what = _code_words(sentence(n.what))
        cells += f'<div><dt>{name}</dt><dd class="{kind}">{escape(value)}</dd><dd>{what}</dd></div>'
    return f'<dl class="numbers">{cells}</dl>'


def _fix(lines: Sequence[tuple[bool, str]]) -> str:
    rows = "".join(
        f'<span class="line{" new" if new else ""}"><span class="at" aria-hidden="true">{"+" if new else ""}</span>'
        f"<span>{escape(line, quote=False) or ' '}</span></span>"
        for new, line in lines
    )
    return f'<pre class="fix" tabindex="0">{rows}</pre>'


def _tried(tried: Tried) -> str:
    header, rows = tried_table(tried)
    found = f"<h3>What it gave</h3><p>{_code_words(sentence(tried.what))}</p>"
    if len(header) > 1:
        head = "".join(f'<th scope="col"{" class=num" if k else ""}>{name}</th>' for k, name in enumerate(header))
        body = "".join(
            f'<tr{" class=best" if row[0].startswith("proven") else ""}><th scope="row">{row[0]}</th>'
            + "".join(f'<td class="num">{escape(cell)}</td>' for cell in row[1:]) + "</tr>"
            for row in rows
        )  # fmt: skip
        table = f'<table class="tried"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        found += f'<div class="scroll">{table}</div>'
    return found + (f"<p>{_code_words(sentence(tried.no_minimum))}</p>" if tried.no_minimum else "")


def _pictures(pictures: Sequence[Drawing]) -> str:
    figures = "".join(
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{p.dark}">'
        f'<img src="{p.light}" width="{p.width}" height="{p.height}" alt="{escape(p.alternative)}"></picture></figure>'
        for p in pictures
    )
    if not figures:
        return ""
    kind = ' class="several"' if len(pictures) > 1 else ""
    return f'<section class="pictures"><h2>This training</h2><div{kind}>{figures}</div></section>'


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{_code_words(sentence(note))}</li>" for note in notes if note)
    return f"<section><h2>Notes</h2><ul>{items}</ul></section>" if items else ""


def _code_words(words: str) -> str:
    """Escaped, with what stands between backticks as code."""
    pieces = escape(words, quote=False).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its fellow
        return "`".join(pieces)
    return "".join(f"<code>{piece}</code>" if k % 2 else piece for k, piece in enumerate(pieces))
