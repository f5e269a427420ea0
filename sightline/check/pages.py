"""The pages of the rules: read from the docstrings of ``sightline/check/rules/``, checked, written as documentation.

A rule's module is named as its id, with underscores; it is read, not imported, so that this costs no start of torch.
Its docstring is Markdown of a fixed shape: one line that says in a few words what is wrong, then the ``SECTIONS`` in
their order. Examples are fenced blocks of Python, excerpts of trainings: they must be Python, and are not run.

    python -m sightline.check.pages --write docs/rules
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RULES = Path(__file__).parent / "rules"
SECTIONS = ("What it finds", "Why it matters", "Example", "Instead", "How sure")
WITH_CODE = ("Example", "Instead")
LONGEST_TITLE = 100
HEADING = re.compile(r"^## +(.+?) *$")
FENCE = re.compile(r"^```([\w+-]*) *$")


class PageError(ValueError):
    """A rule has no page, or there is no such rule; the message says what there is."""


@dataclass(frozen=True)
class Page:
    """The page of one rule.

    rule : its id.  title : what is wrong, in a few words.  sections : (heading, Markdown), in order.  text : the whole
    docstring, without its indent.
    """

    rule: str
    title: str
    sections: tuple[tuple[str, str], ...]
    text: str

    def section(self, heading: str) -> str:
        """The Markdown under a heading, '' where the page lacks it."""
        return next((body for name, body in self.sections if name == heading), "")

    def markdown(self) -> str:
        """The page as documentation: its id as heading, the title, the sections, and how to choose the rule."""
        told = [f"# {self.rule}", f"{self.title.rstrip('.')}."]
        told += [f"## {name}\n\n{body}" for name, body in self.sections]
        told.append(
            f"`sightline rule {self.rule}` prints this page. `sightline check --select {self.rule} SCRIPT` asks this"
            f" rule alone, `--ignore {self.rule}` leaves it out."
        )
        return "\n\n".join(_excerpts(part) for part in told) + "\n"


def ids(folder: Path | None = None) -> list[str]:
    """The ids of all rules, by the alphabet: of the folder's modules whose names have no leading underscore and whose
    docstrings have sections."""
    found = []
    for path in sorted((folder or RULES).glob("*.py")):
        text = None if path.stem.startswith("_") else _docstring(path)
        if text is not None and any(HEADING.match(line) for line in text.splitlines()):
            found.append(path.stem.replace("_", "-"))
    return found


def read(rule: str, folder: Path | None = None) -> Page:
    """The page of a rule.

    Raises
    ------
    PageError : no rule has that id; the nearest one is named.
    """
    known = ids(folder)
    if rule not in known:
        raise PageError(unknown(rule, known))
    text = _docstring((folder or RULES) / f"{rule.replace('-', '_')}.py") or ""
    lines = text.splitlines()
    sections: list[tuple[str, list[str]]] = []
    for line in lines[1:]:
        heading = HEADING.match(line)
        if heading:
            sections.append((heading[1], []))
        elif sections:
            sections[-1][1].append(line)
    told = tuple((name, "\n".join(body).strip("\n")) for name, body in sections)
    return Page(rule, lines[0].strip() if lines else "", told, text)


def unknown(rule: str, known: Sequence[str]) -> str:
    """The sentence about an id that no rule has."""
    import difflib

    near = difflib.get_close_matches(rule.replace("_", "-").lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "`sightline rule` lists them all"
    return f"there is no rule {rule!r}; {hint}"


def faults(page: Page) -> list[str]:
    """What is wrong with the shape of a page, as sentences; empty where nothing is."""
    found = []
    lines = page.text.splitlines()
    if not page.title or HEADING.match(page.title):
        found.append("the first line must say what is wrong, in a few words")
    elif len(page.title) > LONGEST_TITLE:
        found.append(f"the title has {len(page.title)} letters, {LONGEST_TITLE} are the most: {page.title!r}")
    if len(lines) > 1 and lines[1].strip():
        found.append("the title must be one line, with an empty line below it")
    names = tuple(name for name, _ in page.sections)
    if names != SECTIONS:
        found.append(f"the sections must be, in order, {', '.join(SECTIONS)}; they are {', '.join(names) or 'none'}")
    for name, body in page.sections:
        if not body.strip():
            found.append(f"the section {name!r} is empty")
        blocks = examples(body)
        if name in WITH_CODE and not blocks:
            found.append(f"the section {name!r} needs a block of code, fenced by ```python")
        for code in blocks:
            try:
                compile(textwrap.dedent(code), f"{page.rule}: {name}", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
            except SyntaxError as error:
                found.append(f"the code of {name!r} is not Python: {error.msg} in its line {error.lineno}")
    if page.text.count("```") % 2:
        found.append("a fenced block is not closed")
    return found


def examples(markdown: str) -> list[str]:
    """The fenced blocks of Python in a piece of Markdown."""
    found: list[str] = []
    block: list[str] | None = None
    for line in markdown.splitlines():
        fence = FENCE.match(line.strip())
        if fence and block is None:
            block, kept = [], fence[1] in ("python", "py")
        elif fence and block is not None:
            if kept:
                found.append("\n".join(block))
            block = None
        elif block is not None:
            block.append(line)
    return found


def written(folder: Path | None = None) -> dict[str, str]:
    """The documentation: file name -> content; ``index.md`` with one line for each rule, and a page for each."""
    pages = [read(rule, folder) for rule in ids(folder)]
    files = {f"{page.rule}.md": page.markdown() for page in pages}
    titles = [page.title.rstrip(".").replace("|", "\\|") for page in pages]
    lines = [f"| [{page.rule}]({page.rule}.md) | {title} |" for page, title in zip(pages, titles, strict=True)]
    files["index.md"] = "\n".join([
        "# Rules", "",
        "What `sightline check` looks for. Each rule is decided by a measured number against a bound that follows from",
        "the problem. `sightline rule ID` prints a page in the terminal.", "",
        "| rule | what is wrong |", "|---|---|", *lines, "",
    ])  # fmt: skip
    return files


def write(target: Path, folder: Path | None = None) -> list[str]:
    """Write the documentation into a folder and remove pages of rules that are no more; the names that changed."""
    target.mkdir(parents=True, exist_ok=True)
    files = written(folder)
    changed = []
    for path in target.glob("*.md"):
        if path.name not in files:
            path.unlink()
            changed.append(path.name)
    for name, content in files.items():
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            changed.append(name)
    return sorted(changed)


def _docstring(path: Path) -> str | None:
    """A module's docstring, without running the module."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise PageError(f"{path.name} is not Python: {error.msg} in line {error.lineno}") from None
    return ast.get_docstring(tree, clean=True)


def _excerpts(markdown: str) -> str:
    """Blocks of Python marked as excerpts (```py): what the documentation marks ```python is run by the tests."""
    return re.sub(r"^( *)```python *$", r"\1```py", markdown, flags=re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documentation, or say which pages have not their shape; exit code 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m sightline.check.pages", description=main.__doc__)
    parser.add_argument("--write", metavar="DIR", type=Path, help="write the pages and their index into this folder")
    chosen = parser.parse_args(arguments)
    wrong = [f"{rule}: {fault}" for rule in ids() for fault in faults(read(rule))]
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if chosen.write is not None and not wrong:
        for name in write(chosen.write):
            sys.stdout.write(f"{chosen.write / name}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
