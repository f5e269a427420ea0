"""A report on a terminal, as a good compiler writes it: coloured there, plain text where it is piped."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any, cast

from sightline.check.faces.encoding import Encodable
from sightline.check.faces.words import Sources, counts, ends, plain, sentence, training_words, tried_table, value_of
from sightline.check.finding import Finding, Place, Report, Severity, Tried
from sightline.check.verdict import verdict

if TYPE_CHECKING:
    from rich.text import Text

PIPED = 100  # width of a line of words where there is no terminal
WIDEST = 100  # and the widest that reads well on one
NARROWEST = 30
COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.ADVICE: "bold cyan"}
LABEL = 10  # columns of "measured" and its kin, with the blanks behind
MARGIN = 3


def show(report: Report, file: IO[str], width: int | None = None) -> None:
    """Print a report; with colours where ``file`` is a terminal.

    width : columns of a line, None for those of the terminal, or ``PIPED`` where there is none.
    """
    _Printer(file, width).report(report)


class _Printer:
    def __init__(self, file: IO[str], width: int | None) -> None:
        from rich.console import Console

        self.piped = width is not None or not file.isatty()
        stream = cast(IO[str], Encodable(file))
        # Lines are folded here, not by the console, which would cut code in two.
        self.console = Console(
            file=stream, width=100_000 if self.piped else None, no_color=self.piped or None,
            force_terminal=False if self.piped else None, highlight=False, emoji=False, markup=False,
        )  # fmt: skip
        self.width = max(NARROWEST, (width or PIPED) if self.piped else min(self.console.width, WIDEST))
        self.sources = Sources()

    # ------------------------------------------------------------------------------------------------ the whole

    def report(self, report: Report) -> None:
        """The script, its findings, what could not be looked at, and the verdict as the last line."""
        self.words([(sentence(report.script), "bold"), (_after(training_words(report.training)), "dim")])
        if report.error:
            self.words([("ended in an error: ", "red"), (sentence(report.error), "")], indent="  ")
        elif report.ending != "finished":
            self.words([(f"{report.ending}: what follows holds for what was seen until then", "yellow")])
        for finding in report.findings:
            self.line()
            self.finding(finding)
        self.line()
        for note in (report.unrecovered, *report.notes):
            if note:
                self.words([("note: ", "bold"), (sentence(note), "")], indent="  ")
        if report.findings:
            self.words([(f"`sightline rule {report.findings[0].rule}` says more about the first finding.", "dim")])
        if ends(report):
            self.words([(ends(report), "")])
        self.verdict(report)

    def verdict(self, report: Report) -> None:
        """The last line: how many findings, and the sentence."""
        words = sentence(report.verdict or verdict(report.findings, report.reached, report.ending))
        number = counts(report.findings)
        if report.healthy:
            advice = f" ({number})" if number else ""
            self.words([("✓ ", "bold green"), (words + advice, "bold green")])
        else:
            worst = min((f.severity for f in report.findings), key=list(Severity).index)
            self.words([(f"{number}: ", COLOURS[worst]), (words, "bold")])

    def finding(self, finding: Finding) -> None:
        """One finding: what and where, then the numbers, why, the fix, and what it gave."""
        head = f"{finding.severity.value}[{finding.rule}]"
        self.words([(head, COLOURS[finding.severity]), (f": {sentence(finding.what)}", "bold")])
        if finding.where is not None:
            self.place(finding.where, COLOURS[finding.severity])
        if finding.others:
            also = ", ".join(f"{plain(p.file)}:{p.line}" for p in finding.others)
            self.labelled("also at", also)
        self.numbers(finding)
        self.labelled("why", finding.why)
        if finding.fix.strip():
            self.fix(self.sources.fix(finding))
        if finding.tried is not None:
            self.tried(finding.tried)

    # ------------------------------------------------------------------------------------------------ its parts

    def place(self, place: Place, style: str) -> None:
        """The file and line, and the code, underlined among its neighbours."""
        excerpt = self.sources.excerpt(place)
        gutter = len(str(max([place.line, *(c.line for c in excerpt)])))
        inside = "" if place.function == "<module>" else f", in {plain(place.function)}"
        self.parts([(f"{' ' * gutter}--> ", "blue"), (f"{plain(place.file)}:{place.line}", ""), (inside, "dim")])
        if not excerpt:
            return
        bar = f"{' ' * gutter} |"
        self.parts([(bar, "blue")])
        for code in excerpt:
            room = self.width - gutter - 3
            shown = _cut(code.text, room)
            self.parts([(f"{code.line:>{gutter}} | ", "blue"), (shown, "" if code.meant else "dim")])
            if code.meant:
                start = len(shown) - len(shown.lstrip())
                self.parts([(f"{bar} {' ' * start}", "blue"), ("^" * max(1, _cells(shown.strip())), style)])
        self.parts([(bar, "blue")])

    def numbers(self, finding: Finding) -> None:
        """The measured number beside the bound: the values below one another, then what they are."""
        told = [("measured", finding.measured), *([("bound", finding.bound)] if finding.bound is not None else [])]
        values = [sentence(value_of(n)) for _, n in told]
        wide = max(map(_cells, values))
        room = self.width - MARGIN - LABEL
        if wide > room // 2 or room - wide - 2 < NARROWEST // 2:  # a text, not a number: what it is goes before it
            for (label, n), value in zip(told, values, strict=True):
                self.labelled(label, f"{n.what}: {value}" if n.what else value)
            return
        for (label, n), value in zip(told, values, strict=True):
            pad = " " * (wide - _cells(value))
            self.labelled(label, n.what, before=f"{value}{pad}  ")

    def fix(self, lines: Sequence[tuple[bool, str]]) -> None:
        """The code, new lines marked, never folded or cut; below its label where it has no room beside it."""
        beside = max(_cells(line) for _, line in lines) + 2 <= self.width - MARGIN - LABEL
        if not beside:
            self.parts(self.label("fix"))
        for k, (new, line) in enumerate(lines):
            front = self.label("fix" if k == 0 else "") if beside else [(" " * MARGIN, "")]
            mark, style = ("+ ", "green") if new else ("  ", "dim")
            self.parts([*front, (f"{mark}{line}".rstrip(), style)])

    def tried(self, tried: Tried) -> None:
        """What was run, and before, after and optimum below one another."""
        self.labelled("tried", tried.what)
        header, rows = tried_table(tried)
        if len(header) > 1:
            self.table(header, rows)
        if tried.no_minimum:
            self.labelled("", tried.no_minimum)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Cells in columns, numbers to the right; on a narrow terminal one below the other."""
        columns = [max(_cells(c) for c in column) for column in zip(header, *rows, strict=True)]
        room = self.width - MARGIN - LABEL
        if sum(columns) + 2 * len(columns) - 2 > room:
            for row in rows:
                cells = (f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True))
                self.labelled("", f"{row[0]}: {', '.join(cells)}")
            return
        for k, row in enumerate((header, *rows)):
            padded = [row[0] + " " * (columns[0] - _cells(row[0]))]
            padded += [" " * (wide - _cells(cell)) + cell for cell, wide in zip(row[1:], columns[1:], strict=True)]
            last = k == len(rows) and row[0].startswith("proven")
            self.parts([*self.label(""), ("  ".join(padded).rstrip(), "dim" if k == 0 else "green" if last else "")])

    # ------------------------------------------------------------------------------------------------ lines

    def label(self, name: str) -> list[tuple[str, str]]:
        """The column of labels."""
        return [(" " * MARGIN, ""), (f"{name:<{LABEL}}", "bold blue")]

    def labelled(self, label: str, words: str, before: str = "") -> None:
        """Words beside their label, folded within their column; ``before`` stands in front of them, unfolded."""
        if not (words or before):
            return
        lead = MARGIN + LABEL + _cells(before)
        lines = textwrap.wrap(sentence(words), max(NARROWEST // 2, self.width - lead)) or [""]
        for k, line in enumerate(lines):
            front = before if k == 0 else " " * _cells(before)
            self.parts([*self.label(label if k == 0 else ""), (front + line, "")])

    def words(self, parts: Sequence[tuple[str, str]], indent: str = "") -> None:
        """Words of several styles as one paragraph, folded at the width."""
        from rich.text import Text

        whole = Text()
        for words, style in parts:
            whole.append(words, style=style or None)
        for k, line in enumerate(whole.wrap(self.console, self.width - len(indent))):
            line.rstrip()
            self.put(Text(indent) + line if k else line)

    def parts(self, parts: Sequence[tuple[str, str]]) -> None:
        """One line of several styles, never folded."""
        from rich.text import Text

        text = Text()
        for words, style in parts:
            text.append(words, style=style or None)
        text.rstrip()
        self.put(text)

    def line(self) -> None:
        """An empty line."""
        self.parts([])

    def put(self, text: Text) -> None:
        """A line, as it is."""
        self.console.print(text, soft_wrap=True)


def _after(words: str) -> str:
    """Words set off from a name that stands before them."""
    return f"  {words}" if words else ""


def _cells(text: str) -> int:
    """Columns that a text takes on a terminal: two for wide letters."""
    from rich.cells import cell_len

    return cell_len(text)


def _cut(text: str, room: int) -> str:
    """A line of code that is no wider than ``room``, its end left out if it must be."""
    if _cells(text) <= room:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, max(1, room - 1)).rstrip() + "…"


def plain_text(report: Report, width: int = PIPED) -> str:
    """The report as plain text."""
    import io

    out: Any = io.StringIO()
    show(report, out, width)
    return str(out.getvalue())
