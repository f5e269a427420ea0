"""The page: its sections, in the order in which a person asks."""

from __future__ import annotations

import math
import re
import shlex
from html import escape
from pathlib import Path

from sightline import __version__
from sightline.certificate import Verdict
from sightline.report.draw import digits, small
from sightline.report.pictures import coefficient_scale, coefficients, gap, predictions
from sightline.report.style import STYLE
from sightline.report.writing import GENERATOR
from sightline.summary import Summary
from sightline.tables.errors import plural

MOST = 30  # coefficients drawn
OPEN = 4  # classes whose coefficients are unfolded
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Page:
    """The report of a summary.  model : where the model is saved."""

    def __init__(self, summary: Summary, model: str) -> None:
        self.summary, self.model = summary, model

    def html(self) -> str:
        """The whole page."""
        title = escape(self.summary.title)
        sections = [self.header(), self.coefficients(), self.quality(), self.course(), self.certificate(), self.notes()]
        sections.append(self.use())
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR} {__version__}">'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{title}</title><style>{STYLE}</style></head><body><main>{''.join(sections)}"
            f"<footer>Written by Sightline {__version__}. This page needs no network and holds no scripts.</footer>"
            "</main></body></html>\n"
        )

    def header(self) -> str:
        s = self.summary
        test = s.facts["rows"]["test"]
        rows = plural(s.result.rows, "row") + (f", {test:,} more held out for testing" if test else "")
        proof = s.result.certificate
        mark, kind = ("✓", "") if proof.ended else ("!", " warn")
        advice = s.advice()
        why = f"Proven by {s.proof()}." if proof.optimal else proof.witness.text if proof.witness is not None else ""
        more = (f"<p>{escape(advice)}</p>" if advice else "") + (f'<p class="small">{escape(why)}</p>' if why else "")
        penalty = "" if s.penalty_kind is None else f"; {s.penalty_kind} penalty, {s.penalty_words}"
        penalty = "; Firth's penalty, intervals of the profile likelihood" if s.result.penalty.jeffreys else penalty
        lead = f"{s.columns_words}; {rows}{penalty}.{self._answers()}"
        return (
            f'<header><p class="brand">Sightline</p><h1>{escape(s.base_name)} of {escape(s.target)}</h1>'
            f'<p class="lead">{escape(lead)}</p>'
            f'<div class="verdict{kind}"><p><b>{mark} {escape(_minus(s.verdict()))}</b></p>{more}</div></header>'
        )

    def _answers(self) -> str:
        """What the model answers."""
        s = self.summary
        classes, name = s.result.classes, s.result.loss.name
        if name == "logistic" and classes is not None:
            return f" It gives the probability that {s.target} is {classes[1]}."
        if name == "softmax" and classes is not None:
            return f" It gives the probability of each of {len(classes)} classes."
        if s.result.loss.targets == "binary" and classes is not None:
            return f" A positive score means {classes[1]}, a negative one {classes[0]}."
        return f" It gives the expected {s.target}." if name in ("poisson", "squared") else ""

    def coefficients(self) -> str:
        s = self.summary
        parts, left = s.largest(MOST)
        scale = coefficient_scale(parts)
        known = s.reason_without_errors is None
        what = "one standard deviation more of the column" if s.facts["spread"] else "one unit more of the column"
        words = f"Each dot shows what {what} adds to {s.scores}, the other columns staying as they are."
        if known:
            words += " The line is its 95 % interval; a hollow dot is one whose interval holds zero."
        words += " The numbers beside are in the units of the data."
        if s.centred:
            words += " They add up to zero over the classes: each class is compared with their average."
        found = [f"<section><h2>Coefficients</h2><p>{escape(words)}</p>"]
        if not known:
            found.append(f'<p class="small">No standard errors: {escape(s.reason_without_errors or "")}.</p>')
        for k, part in enumerate(parts):
            table = coefficients(part, scale, s)
            name = s.outputs[k]
            if name:
                opened = " open" if k < OPEN else ""
                table = f"<details{opened}><summary>{escape(name)}</summary>{table}</details>"
            found.append(table)
        if left:
            zeros = s.result.weight.numel() - s.nonzero
            words = f"{left:,} more are not shown" + (f"; {zeros:,} coefficients are zero" if zeros else "")
            found.append(f'<p class="small">Shown are the largest by {escape(s.ranked_by)}; {words}.</p>')
        return "".join(found) + "</section>"

    def quality(self) -> str:
        s = self.summary
        if not s.metric_columns:
            return ""
        head = "".join(f'<th scope="col" class="num">{name}</th>' for name in s.metric_columns)
        rows = [
            f'<tr><td>{escape(name)}</td>{"".join(f"<td class=num>{digits(v)}</td>" for v in values)}'
            f'<td class="small about">{escape(about)}</td></tr>'
            for name, values, about in s.metric_rows()
        ]
        alone = which = ""
        drawn = predictions(s)
        if drawn and "test" in s.metric_columns:
            which = '<p class="small">The pictures show the rows held out.</p>'
        if s.metric_columns == ["train"]:
            alone = (
                '<p class="small">Measured on the rows it was fitted on, so new rows may fare worse:'
                " <code>--test-size 0.25</code> holds some out.</p>"
            )
        return (
            '<section><h2>How well it predicts</h2><table><thead><tr><th></th>'
            f'{head}<th class="about"></th></tr></thead><tbody>{"".join(rows)}</tbody></table>{alone}'
            f'{which}<div class="plots">{"".join(drawn)}</div></section>'
        )

    def course(self) -> str:
        s = self.summary
        drawn = gap(s)
        seconds = s.facts["trace"]["seconds"]
        took = "" if seconds is None else f" in {seconds * 1000:.0f} ms" if seconds < 1 else f" in {seconds:.1f} s"
        words = f"Solver {s.result.solver}; {plural(s.result.n_iter, 'step')}{took}."
        if drawn is None:
            return f"<section><h2>How it was fitted</h2><p>{escape(words)}</p></section>"
        return (
            f"<section><h2>How it was fitted</h2><p>{escape(words)} The curve is how far the objective was above the"
            f" bound that the end proved, relative to the objective.</p>{drawn}</section>"
        )

    def certificate(self) -> str:
        s, proof = self.summary, self.summary.result.certificate
        facts = [("Verdict", f"{proof.verdict.name}: {proof.verdict.sentence}")]
        what = "mean loss" if s.penalty_kind is None and not s.result.penalty.jeffreys else "mean loss + penalty"
        facts.append(("Objective", f"{proof.value:.10g} ({what})"))
        if proof.optimal:
            facts.append(("No weights go below", f"{proof.lower_bound:.10g}"))
        if proof.verdict is Verdict.NO_MINIMUM:
            facts.append(("Can still fall by", small(proof.gap)))
        elif not math.isfinite(proof.gap):
            facts.append(("Gap", "no bound was reached"))
        else:
            relative = f"relative {small(proof.relative_gap)}, asked {small(proof.tol, 0)}"
            facts.append(("Gap", f"{small(proof.gap)}; {relative}"))
            facts.append(("Proof", s.proof()))
        if proof.digits is not None:
            facts.append(("Digits", f"{int(proof.digits)} of every coefficient are proven right"))
        if proof.witness is not None:
            facts.append(("Witness", proof.witness.text))
        facts += [("Loss", str(s.result.loss)), ("Penalty", s.penalty_words)]
        facts.append(("Intercept", "fitted, without a penalty" if s.result.fit_intercept else "none"))
        body = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts)
        return f"<section><h2>The certificate</h2><dl>{body}</dl></section>"

    def notes(self) -> str:
        s = self.summary
        items = [s.facts["reason"]] if s.facts.get("reason") else []
        items += [f"{level!r} is what the other levels of {name!r} are compared with" for name, level in s.dropped]
        items += s.facts["notes"]
        if not items:
            return ""
        listed = "".join(f"<li>{escape(item[:1].upper() + item[1:].rstrip('.'))}.</li>" for item in items)
        return f"<section><h2>About the data</h2><ul>{listed}</ul></section>"

    def use(self) -> str:
        s = self.summary
        path = Path(self.model)
        folder = shlex.quote(self.model if path.parent == Path() else str(path.parent))
        shell = f"sightline predict {folder} new.csv\nsightline show {folder}"
        if s.facts.get("command"):
            shell = f"{s.facts['command']}    # what made this\n{shell}"
        probability = s.result.loss.name in ("logistic", "softmax")
        module = 'result.to_module(output="probability")' if probability else "result.to_module()"
        p, outputs = s.result.weight.shape[1], s.result.weight.shape[0]
        python = (
            "import sightline as sl\n\n"
            f"result = sl.load({self.model!r})\n"
            "print(result.certificate)\n"
            f"module = {module}    # a plain torch module: {p} columns in, {plural(outputs, 'number')} out"
        )
        return (
            "<section><h2>To use it</h2>"
            f"<pre>{escape(shell)}</pre><pre>{escape(python)}</pre></section>"
        )


def _minus(text: str) -> str:
    """Powers of ten with a minus sign in place of a hyphen."""
    return re.sub(r"e-0?(\d)", r"e−\1", text)
