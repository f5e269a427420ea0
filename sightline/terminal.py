"""A fitted model as text: coefficients, metrics and certificate for the terminal, plain where it is piped."""

from __future__ import annotations

import io
import math
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from sightline.coefficient import INTERCEPT, Coefficient, beside, number
from sightline.summary import Summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST = 30  # coefficients shown
PIPED = 110  # width of a line of words where there is no terminal
WIDE = 100_000  # width for tables where there is no terminal: nothing is folded


def text(result: object, width: int = PIPED, most: int = MOST) -> str:
    """The table of a ``Result`` as plain text."""
    from sightline.result import Result

    assert isinstance(result, Result)
    out = io.StringIO()
    show(Summary.of(result), out, width=width, most=most)
    return out.getvalue().rstrip("\n")


def show(summary: Summary, file: IO[str] | None = None, *, width: int | None = None, most: int = MOST) -> None:
    """Print the table of a model; with colours and lines where ``file`` (standard output) is a terminal."""
    from rich.console import Console

    out = sys.stdout if file is None else file
    piped = width is not None or not out.isatty()
    console = Console(file=out, width=WIDE if piped else None, no_color=piped or None, highlight=False, emoji=False)
    words = (width or PIPED) if piped else console.width
    _Printer(console, words, piped, summary, most).all()


def certificate(summary: Summary, about: str) -> None:
    """Print a certificate in words, under a line that says of what."""
    from rich.console import Console

    out = sys.stdout
    piped = not out.isatty()
    console = Console(file=out, width=WIDE if piped else None, no_color=piped or None, highlight=False, emoji=False)
    printer = _Printer(console, PIPED if piped else console.width, piped, summary, MOST)
    printer.line(about, "bold")
    printer.certificate(fitted=False)


class _Printer:
    def __init__(self, console: Console, words: int, piped: bool, summary: Summary, most: int) -> None:
        self.console, self.words, self.piped, self.summary, self.most = console, words, piped, summary, most

    def all(self) -> None:
        self.line(self.summary.title, style="bold")
        self.coefficients()
        self.metrics()
        self.certificate()

    def line(self, words: str, style: str = "", indent: str = "") -> None:
        """Words folded at the width."""
        from rich.text import Text

        for piece in textwrap.wrap(words, max(20, self.words), subsequent_indent=indent) or [""]:
            self.console.print(Text(piece, style=style), soft_wrap=True)

    def table(self, header: Sequence[tuple[str, bool]], rows: Iterable[tuple[Sequence[str], bool]]) -> Table:
        """A table of (cells, faint); the header's columns are (name, whether to align right)."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None if self.piped else box.SIMPLE_HEAD, pad_edge=not self.piped, padding=(0, 2, 0, 0))
        for name, right in header:
            table.add_column(Text(name), justify="right" if right else "left", no_wrap=right, overflow="fold")
        for cells, faint in rows:
            table.add_row(*(Text(cell) for cell in cells), style="dim" if faint and not self.piped else "")
        return table

    def print(self, table: Table) -> None:
        """The table without the blanks that rich puts at the ends of lines."""
        if not self.piped:
            self.console.print(table)
            return
        with self.console.capture() as capture:
            self.console.print(table)
        for row in capture.get().splitlines():
            self.console.file.write(row.rstrip() + "\n")

    def coefficients(self) -> None:
        summary = self.summary
        parts, left = summary.largest(self.most)
        known = summary.reason_without_errors is None
        spread = any(c.spread is not None for part in parts for c in part)
        for part in parts:
            self.console.print()
            if part and part[0].output:
                self.line(f"class {part[0].output}" if summary.result.classes is not None else part[0].output, "bold")
            for fields in _choices(known, spread):
                header, rows = _header(fields, summary), [(_cells(c, fields), not c.clear) for c in part]
                if self.piped or _width(header, rows) <= self.console.width:
                    break
            self.print(self.table(header, rows))
        self.console.print()
        if left:
            zeros = summary.result.weight.numel() - summary.nonzero
            what = f"{left:,} more coefficients" + (f", {zeros:,} of them zero" if zeros else "")
            self.line(f"Shown are the largest by {summary.ranked_by}; {what}: --all shows them.")
        if summary.centred:
            self.line("The coefficients of a column add up to zero over the classes: each is against their average.")
        if summary.result.penalty.jeffreys and known:
            self.line("The intervals are those of the profile penalised likelihood.")
        if not known:
            self.line(f"No standard errors: {summary.reason_without_errors}.")
        for name, level in summary.dropped:
            self.line(f"{name}: compared with {level!r}, which has no column.", indent="  ")

    def metrics(self) -> None:
        columns = self.summary.metric_columns
        if not columns:
            return
        self.console.print()
        header = [("", False), *((name, True) for name in columns), ("", False)]
        rows = [
            ([name, *(number(value) for value in values), about], False)
            for name, values, about in self.summary.metric_rows()
        ]
        if not self.piped and self.console.width < 80:
            header, rows = header[:-1], [(cells[:-1], faint) for cells, faint in rows]
        self.print(self.table(header, rows))

    def certificate(self, fitted: bool = True) -> None:
        summary, proof = self.summary, self.summary.result.certificate
        self.console.print()
        self.line(summary.verdict(), style="bold green" if proof.ended else "bold yellow")
        indent = "  "
        if proof.optimal or not fitted:
            by = f", proven by {proof.method}" if math.isfinite(proof.gap) else ""
            self.line(
                f"  objective {proof.value:.10g}, relative gap {proof.relative_gap:.1e} (asked: {proof.tol:.0e}){by}",
                indent=indent,
            )
        if proof.digits is not None:
            self.line(f"  {int(proof.digits)} digits of every coefficient are proven right", indent=indent)
        if proof.witness is not None:
            self.line("  " + proof.witness.text, indent=indent)
        if not fitted:
            return
        advice = summary.advice()
        if advice:
            self.line("  " + advice, indent=indent)
        solver, penalty = summary.result.solver, summary.penalty_words
        steps = "1 step" if summary.result.n_iter == 1 else f"{summary.result.n_iter:,} steps"
        self.line(f"  solver {solver}; {steps}" + ("" if penalty == "none" else f"; penalty: {penalty}"), indent=indent)


def _width(header: Sequence[tuple[str, bool]], rows: Sequence[tuple[Sequence[str], bool]]) -> int:
    """The width that a table needs on a terminal, with room for names of some length: longer ones are folded."""
    columns = zip(*([name for name, _ in header], *(cells for cells, _ in rows)))
    wide = [max(map(len, column)) + 2 for column in columns]
    return 2 + min(wide[0], 24) + sum(wide[1:])


def _choices(known: bool, spread: bool) -> list[tuple[str, ...]]:
    """The columns of the table, from the most to the fewest: the first that fits is taken."""
    if known:
        return [
            ("name", "estimate", "error", "statistic", "low", "high"), ("name", "estimate", "low", "high"),
            ("name", "estimate", "error"), ("name", "estimate"),
        ]  # fmt: skip
    return [("name", "estimate", "standardised"), ("name", "estimate")] if spread else [("name", "estimate")]


def _header(fields: Sequence[str], summary: Summary) -> list[tuple[str, bool]]:
    names = {
        "name": "", "estimate": "coefficient", "error": "std. error", "statistic": summary.statistic,
        "low": "95 % from", "high": "to", "standardised": "for one std. dev.",
    }  # fmt: skip
    return [(names[field], field != "name") for field in fields]


def _cells(c: Coefficient, fields: Sequence[str]) -> list[str]:
    cells = {
        "name": c.name, "estimate": beside(c.estimate, c.error), "error": number(c.error, 3),
        "statistic": "–" if c.statistic is None else f"{c.statistic:.2f}",
        "low": "–" if c.low is None else beside(c.low, c.error),
        "high": "–" if c.high is None else beside(c.high, c.error),
        "standardised": "" if c.name == INTERCEPT else number(c.standardised),
    }  # fmt: skip
    return [cells[field] for field in fields]
