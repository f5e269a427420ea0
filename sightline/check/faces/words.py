"""What every face of a report says in the same way: numbers, tables, the excerpt of the code, the lines of a fix."""

from __future__ import annotations

import difflib
import math
import re
import textwrap
import tokenize
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sightline.check.finding import Finding, Number, Outcome, Place, Report, Severity, Tried
from sightline.show.picture import number

UNKNOWN = "–"
NEIGHBOURS = 1  # lines of code shown on each side
# What is told of a training in its one line, and how; other entries are in the JSON.
TRAINING = {
    "model": "{}", "loss": "{} loss", "rows": "{} rows", "columns": "{} columns", "classes": "{} classes",
    "optimizer": "{}", "lr": "learning rate {}", "learning_rate": "learning rate {}", "momentum": "momentum {}",
    "weight_decay": "weight decay {}", "batch": "batches of {}", "batch_size": "batches of {}", "steps": "{} steps",
    "epochs": "{} epochs", "seconds": "{} s",
}  # fmt: skip


@dataclass(frozen=True)
class CodeLine:
    """A line of an excerpt: its number from 1, its text without the common indent, and whether it is the one meant."""

    line: int
    text: str
    meant: bool


def plain(text: str) -> str:
    """Text for one line of a terminal or page: tabs as blanks, no control characters, which could move the cursor."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text.replace("\t", "    ").rstrip("\r\n"))


def sentence(text: str) -> str:
    """Words that may stand in a paragraph: on one line, each blank one blank, no control characters."""
    return plain(" ".join(text.split()))


def opened(words: str) -> str:
    """A sentence with its first letter as a capital, unless it begins with a name from the code."""
    first = words.split(" ", 1)[0].rstrip(",:;")
    return words[:1].upper() + words[1:] if first.isalpha() else words


def value_of(told: Number) -> str:
    """A number alone, without what it is a number of."""
    if told.text:
        return told.text
    return UNKNOWN if told.value is None else brief(told.value, 3)


def brief(value: float, digits: int) -> str:
    """A number with at most so many digits: 1e−6, not 1.00e−6."""
    shown = number(value, digits)
    return re.sub(r"\.?0+e", "e", shown) if "." in shown else shown


def gap_of(outcome: Outcome) -> str:
    """How far an outcome is above the optimum, for a cell."""
    gap = outcome.gap
    if gap is None:
        return UNKNOWN
    if math.isnan(gap) or math.isinf(gap):
        return number(gap)
    if gap >= 2:
        return f"{number(gap, 3)} times"
    shown = f"{number(100 * gap, 2)} %" if gap >= 1e-4 else number(max(gap, 0.0), 2)
    return f"≤ {shown}" if outcome.certified and 0 < gap <= 1e-6 else shown


def share(value: float | None) -> str:
    """A share of rows in per cent."""
    if value is None:
        return UNKNOWN
    return number(value) if math.isnan(value) else f"{number(100 * value, 4 if value > 0.99 else 3)} %"


def tried_table(tried: Tried) -> tuple[list[str], list[list[str]]]:
    """Header and rows of what a mend gave: as it ended, the person's recipe with the mend, the optimum.  Columns of
    which nothing is known are left out."""
    rows = [("as it ended", tried.before)]
    if tried.after is not None:
        rows.append(("your recipe, mended", tried.after))
    if tried.optimum is not None:
        rows.append(("proven optimum" if tried.optimum.certified else "best found", tried.optimum))
    losses = distinct([o.loss for _, o in rows])
    cells = [[name, loss, share(o.accuracy), gap_of(o)] for (name, o), loss in zip(rows, losses, strict=True)]
    header = ["", "loss", "rows right", "above the optimum"]
    kept = [0, *(k for k in (1, 2, 3) if any(row[k] != UNKNOWN for row in cells))]
    return [header[k] for k in kept], [[row[k] for k in kept] for row in cells]


def distinct(values: Sequence[float | None]) -> list[str]:
    """Numbers with as many digits as tell them apart, four at least and eight at most."""
    known = {v for v in values if v is not None}
    digits = next((d for d in range(4, 8) if len({brief(v, d) for v in known}) == len(known)), 8)
    return [UNKNOWN if v is None else brief(v, digits) for v in values]


def counts(findings: Sequence[Finding]) -> str:
    """'2 errors, 1 warning', '' where there are none."""
    found = Counter(f.severity for f in findings)
    names = {Severity.ERROR: ("error", "errors"), Severity.WARNING: ("warning", "warnings"),
             Severity.ADVICE: ("piece of advice", "pieces of advice")}  # fmt: skip
    return ", ".join(f"{found[s]} {one if found[s] == 1 else many}" for s, (one, many) in names.items() if found[s])


def training_words(training: dict[str, Any]) -> str:
    """What was seen of a training, in one line: '2,000 rows, 1 column, SGD, learning rate 1e−6, 5,000 steps'."""
    words = []
    for key in (k for k in TRAINING if k in training):
        value = training[key]
        if value is None or value == "" or isinstance(value, dict | list | tuple | bool):
            continue
        shown = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else brief(float(value), 4)
        form = TRAINING[key]
        words.append(form.removesuffix("s" if value == 1 and form.startswith("{} ") else "").format(shown))
    return sentence(", ".join(words)).replace("1 classe", "1 class")


def ends(report: Report) -> str:
    """Where the training ended beside the optimum, as a sentence; '' where either is not known."""
    reached, best = report.reached, report.optimum
    if reached is None or best is None or reached.loss is None or best.loss is None:
        return ""
    name = "proven optimum" if best.certified else "best that was found"
    ended, lowest = distinct([reached.loss, best.loss])
    return f"The training ended at a loss of {ended}; the {name} is {lowest}."


class Sources:
    """The lines of the files that findings point at, each file read once."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def lines(self, file: str) -> list[str]:
        """The lines of a file as Python reads it; none where it cannot be read."""
        if file not in self._files:
            try:
                with tokenize.open(file) as opened:
                    self._files[file] = opened.read().splitlines()
            except (OSError, SyntaxError, ValueError):
                self._files[file] = []
        return self._files[file]

    def excerpt(self, place: Place) -> list[CodeLine]:
        """The line of a place among its neighbours; alone where the file is not there or has changed since."""
        lines = self.lines(place.file)
        at = place.line - 1
        if not (0 <= at < len(lines) and lines[at].strip() == place.code.strip()):
            return [CodeLine(place.line, plain(place.code.strip()), True)] if place.code.strip() else []
        around = range(max(0, at - NEIGHBOURS), min(len(lines), at + NEIGHBOURS + 1))
        shown = [k for k in around if k == at or lines[k].strip()]
        texts = textwrap.dedent("\n".join(lines[k].expandtabs(4) for k in shown)).split("\n")
        return [CodeLine(k + 1, plain(text), k == at) for k, text in zip(shown, texts, strict=True)]

    def fix(self, finding: Finding) -> list[tuple[bool, str]]:
        """The lines of a fix, each with whether it is new: not in the script, or there in another place."""
        lines = [plain(line.rstrip()) for line in textwrap.dedent(finding.fix.strip("\n")).splitlines()]
        there = [] if finding.where is None else [line.strip() for line in self.lines(finding.where.file)]
        mine = [line.strip() for line in lines]
        old: set[int] = set()
        for block in difflib.SequenceMatcher(None, there, mine, autojunk=False).get_matching_blocks():
            old.update(range(block.b, block.b + block.size))
        return [(bool(line.strip()) and k not in old, line) for k, line in enumerate(lines)]
