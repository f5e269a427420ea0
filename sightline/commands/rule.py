"""`sightline rule`: the page of a rule of `check`, or the list of all."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

from sightline.check.pages import ids, read

if TYPE_CHECKING:
    from rich.console import Console

PIPED = 100  # width of a line where there is no terminal
WIDEST = 100


def run(rule: str | None, markdown: bool) -> None:
    """Print the page of a rule, as Markdown where asked; without an id one line for each rule.

    Raises
    ------
    PageError : no rule has that id; the nearest one is named.
    """
    if rule is None:
        _list(sys.stdout, markdown)
        return
    page = read(rule)
    if markdown:
        sys.stdout.write(page.markdown())
        return
    render(page.markdown(), sys.stdout)


def _list(file: IO[str], markdown: bool) -> None:
    """One line for each rule: its id and title."""
    from rich.table import Table
    from rich.text import Text

    pages = [read(rule) for rule in ids()]
    if markdown:
        from sightline.check.pages import written

        file.write(written()["index.md"])
        return
    console = _console(file)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for page in pages:
        table.add_row(Text(page.rule, style="cyan"), Text(page.title.rstrip(".")))
    _print(console, table)


def render(markdown: str, file: IO[str]) -> None:
    """Markdown on a terminal: coloured there, plain where it is piped."""
    from rich import markdown as rich_markdown
    from rich.text import Text

    class Heading(rich_markdown.Heading):
        """A heading at the left, without a box around it."""

        def __rich_console__(self, console: Any, options: Any) -> Any:
            yield Text(self.text.plain, style="bold" if self.tag == "h1" else "bold cyan")

    class CodeBlock(rich_markdown.CodeBlock):
        """Code set in, in the terminal's own colours, on its own background."""

        def __rich_console__(self, console: Any, options: Any) -> Any:
            from rich.syntax import Syntax

            yield Syntax(
                str(self.text).rstrip(), self.lexer_name, theme=self.theme, background_color="default", padding=(0, 4),
                word_wrap=True,
            )  # fmt: skip

    class Rendered(rich_markdown.Markdown):
        """Markdown with such headings and code."""

        elements = {
            **rich_markdown.Markdown.elements, "heading_open": Heading, "fence": CodeBlock, "code_block": CodeBlock,
        }  # fmt: skip

    console = _console(file)
    _print(console, Rendered(markdown, code_theme="ansi_dark", hyperlinks=False))


def _console(file: IO[str]) -> Console:
    from typing import cast

    from rich.console import Console
    from rich.theme import Theme

    from sightline.check.faces.encoding import Encodable

    piped = not file.isatty()
    stream = cast(IO[str], Encodable(file))
    console = Console(
        file=stream, width=PIPED if piped else None, no_color=piped or None, highlight=False, emoji=False,
        force_terminal=False if piped else None, theme=Theme({"markdown.code": "cyan"}),
    )  # fmt: skip
    if console.width > WIDEST:
        console.width = WIDEST
    return console


def _print(console: Console, what: Any) -> None:
    """Print without the blanks that rich puts at the ends of lines, and without an empty first line."""
    with console.capture() as capture:
        console.print(what)
    lines = [line.rstrip() for line in capture.get().strip("\n").splitlines()]
    console.file.write("\n".join(lines).lstrip("\n") + "\n")
