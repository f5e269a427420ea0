"""A story on a terminal: coloured and ruled there, plain text where it is piped."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from sightline.tour.story import Code, Picture, Replay, Story, Table

if TYPE_CHECKING:
    from rich.text import Text

PIPED = 100  # width of a line of words where there is no terminal
WIDEST = 100  # and the widest that reads well on one
WIDE = 100_000  # width of a table where there is no terminal: nothing is folded


class Teller:
    """Prints stories to a file, with colours where that is a terminal."""

    def __init__(self, file: IO[str], width: int | None = None) -> None:
        from rich.console import Console

        self.piped = width is not None or not file.isatty()
        self.console = Console(
            file=file, width=WIDE if self.piped else None, no_color=self.piped or None, highlight=False, emoji=False,
        )  # fmt: skip
        self.width = (width or PIPED) if self.piped else min(self.console.width, WIDEST)

    def opening(self, short: bool) -> None:
        """What is to come."""
        self.words("The tour: five trainings that fell short of their optimum", style="bold")
        self.words(
            "Each one was posted by somebody who asked why. All of them are linear models, so the optimum is known or"
            " provably absent, and how far a training is from it is a number. Every number below was computed just now,"
            " on this machine."
        )

    def closing(self, all_cases: bool, short: bool) -> None:
        """Where to go on."""
        self.console.print()
        if short:
            self.words("`sightline tour CASE` tells one of them whole; `--out DIR` draws it on a page.")
        elif all_cases:
            self.words("`sightline tour --out DIR` writes the same as a page with its pictures and replays.")

    def story(self, story: Story, short: bool = False) -> None:
        """One case, whole or its outcome alone."""
        self._title(story)
        self.words(story.question)
        if short:
            for heading, sentence in story.outcome:
                self._labelled(heading, sentence)
            return
        for scene in story.scenes:
            self.console.print()
            self.words(scene.heading, style="bold")
            told = [part for part in scene.parts if not isinstance(part, Picture | Replay)]
            for before, part in zip([None, *told], told):
                if before is not None:
                    self.console.print()
                self._part(part)

    def _title(self, story: Story) -> None:
        from rich.rule import Rule
        from rich.text import Text

        self.console.print()
        title = f"{story.number}  {story.title}"
        if self.piped:
            self.console.print(Text(f"== {title} ({story.name})"), soft_wrap=True)
        else:
            self.console.print(Rule(Text(f"{title} ", style="bold"), align="left", style="dim"), width=self.width)

    def _labelled(self, label: str, sentence: str) -> None:
        """A sentence beside what it answers, its lines set in below one another."""
        indent = 22
        if self.width < 60:
            self.words(label, style="bold")
            self.words(sentence, indent="  ")
            return
        from rich.text import Text

        lines = textwrap.wrap(sentence, self.width - indent)
        for i, line in enumerate(self._styled(lines)):
            head = Text(f"{label if i == 0 else '':<{indent}}", style="bold")
            self.console.print(head + line, soft_wrap=True)

    def words(self, words: str, style: str = "", indent: str = "") -> None:
        """A paragraph, folded at the width."""
        lines = textwrap.wrap(words, max(20, self.width), initial_indent=indent, subsequent_indent=indent)
        for text in self._styled(lines, style):
            self.console.print(text, soft_wrap=True)

    def _styled(self, lines: list[str], style: str = "") -> Iterator[Text]:
        """Lines in which what stands between backticks looks like code; as they are where it is piped."""
        from rich.text import Text

        code = False
        for line in lines:
            text = Text(style=style)
            for i, piece in enumerate([line] if self.piped else line.split("`")):
                code ^= i > 0
                text.append(piece, style="cyan" if code else "")
            yield text

    def _part(self, part: str | Code | Table) -> None:
        if isinstance(part, str):
            self.words(part)
        elif isinstance(part, Code):
            self._code(part)
        else:
            assert isinstance(part, Table)
            self._table(part)

    def _code(self, code: Code) -> None:
        from rich.text import Text

        for line in code.text.strip("\n").splitlines():
            self.console.print(Text(f"    {line}".rstrip(), style="" if self.piped else "cyan"), soft_wrap=True)

    def _table(self, told: Table) -> None:
        from rich import box
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None if self.piped else box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
        for k, name in enumerate(told.header):
            left = k in told.words
            grid.add_column(Text(name), justify="left" if left else "right", overflow="fold")
        for row in told.rows:
            grid.add_row(*(next(self._styled([cell])) for cell in row))
        with self.console.capture() as capture:
            self.console.print(grid, width=None if self.piped else self.width)
        # Without the blank lines that rich puts around a table, and the blanks at the ends of its lines.
        for line in capture.get().strip("\n").splitlines():
            if line.strip():
                self.console.file.write((f"    {line}" if self.piped else line).rstrip() + "\n")
