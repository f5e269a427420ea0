"""What a script promises of a rate: compared with a number, asserted, or named in a variable or a comment."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sightline.check.evidence import Evidence
from sightline.check.finding import Place

# Words for a rate, joined by _, and the rate itself.
WORDS = {
    "recall": ("recall", "sensitivity", "tpr", "true_positive_rate", "hit_rate", "detection_rate"),
    "precision": ("precision", "ppv", "positive_predictive_value"),
    "specificity": ("specificity", "tnr", "true_negative_rate"),
    "false_positive_rate": ("fpr", "false_positive_rate", "false_alarm_rate", "false_alarms"),
}
AT_MOST = ("false_positive_rate",)
ASKED = frozenset((
    "target", "required", "require", "min", "minimum", "desired", "goal", "wanted", "needed", "promised", "guaranteed",
    "guarantee", "floor", "max", "maximum", "limit", "budget", "allowed", "least", "must",
))  # fmt: skip
AT_LEAST_TEXT = r">=|≥|at least|not below|no less than|no lower than|minimum of|above"
AT_MOST_TEXT = r"<=|≤|at most|not above|no more than|no higher than|maximum of|below|under"
NUMBER = r"(\d{1,3}(?:\.\d+)?)\s*(%|percent|per cent)|(0?\.\d+)"


@dataclass(frozen=True)
class Promise:
    """``rate`` must be at least (or, of false positives, at most) ``level``; ``own`` : the script's own measurement."""

    rate: str
    level: float
    where: Place | None
    own: float | None
    asserted: bool = False

    @property
    def at_most(self) -> bool:
        return self.rate in AT_MOST

    @property
    def text(self) -> str:
        """As ``sightline`` takes it."""
        return f"sl.{self.rate}() {'<=' if self.at_most else '>='} {self.level:g}"

    def broken_by(self, value: float, by: float = 0.0) -> bool:
        """Whether a measured rate is off by more than ``by``."""
        return value > self.level + by if self.at_most else value < self.level - by


def promises(evidence: Evidence) -> list[Promise]:
    """What the script says of rates, the surest first: assertions, comparisons, names, words."""
    known = _values(evidence)
    found = [*_compared(evidence, known), *_named(evidence, known), *_told(evidence, known)]
    return sorted(found, key=lambda p: not p.asserted)


def _values(evidence: Evidence) -> dict[str, Any]:
    """What names were bound to when the script ended."""
    known: dict[str, Any] = dict(evidence.recording.globals)
    for _, names in evidence.frames:
        known.update(names)
    return known


def _compared(evidence: Evidence, known: dict[str, Any]) -> Iterator[Promise]:
    asserted = {id(n) for a in ast.walk(evidence.tree) if isinstance(a, ast.Assert) for n in ast.walk(a.test)}
    for node in ast.walk(evidence.tree):
        if not isinstance(node, ast.Compare) or len(node.comparators) != 1:
            continue
        sides = (node.left, node.comparators[0])
        for side, other in (sides, sides[::-1]):
            rate, level = rate_of(_words(side)), _number(other, known)
            if rate is None or level is None or _number(side, {}) is not None:
                continue
            if _plausible(rate, level) and not set(_words(side)) & ASKED:
                own = _number(side, known)
                yield Promise(rate, level, evidence.line(node), own, id(node) in asserted)


def _named(evidence: Evidence, known: dict[str, Any]) -> Iterator[Promise]:
    for node in ast.walk(evidence.tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        words = _words(target)
        rate, level = rate_of(words), _number(node.value, {}) if node.value is not None else None
        if rate is not None and level is not None and set(words) & ASKED and _plausible(rate, level):
            yield Promise(rate, level, evidence.line(node), _measured(rate, known))


def _told(evidence: Evidence, known: dict[str, Any]) -> Iterator[Promise]:
    for line, text in _prose(evidence):
        for rate, words in WORDS.items():
            name = "|".join(w.replace("_", "[ _-]") for w in words)
            sense = AT_MOST_TEXT if rate in AT_MOST else AT_LEAST_TEXT
            match = re.search(rf"\b(?:{name})\b[^.;\n]{{0,30}}?(?:{sense})\s*(?:{NUMBER})", text, re.IGNORECASE)
            if match is None:
                continue
            level = float(match[1]) / 100 if match[1] else float(match[3])
            if _plausible(rate, level):
                place = evidence.line(ast.Pass(lineno=line, col_offset=0))
                yield Promise(rate, level, place, _measured(rate, known))


def _prose(evidence: Evidence) -> Iterator[tuple[int, str]]:
    """Comments and docstrings, with their lines."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(evidence.source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        return
    for node in ast.walk(evidence.tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node.body[0], "lineno", 1), " ".join(text.split())


def _words(node: ast.AST) -> list[str]:
    """The words of a name, of an attribute, of a key, or of the function that is called."""
    if isinstance(node, ast.Call):
        return _words(node.func)
    if isinstance(node, ast.Subscript):
        return _words(node.slice)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        name = node.value
    return [w for w in re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()) if w]


def rate_of(words: list[str]) -> str | None:
    """The rate that the words of a name speak of."""
    joined = f"_{'_'.join(words)}_"
    for rate, names in WORDS.items():
        if any(f"_{name}_" in joined for name in names):
            return rate
    return None


def _number(node: ast.AST | None, known: dict[str, Any]) -> float | None:
    """A number that is written there, or that the name there was bound to."""
    value: Any = node.value if isinstance(node, ast.Constant) else None
    if isinstance(node, ast.Name):
        value = known.get(node.id)
    if isinstance(value, bool) or not isinstance(value, int | float):
        item = getattr(value, "item", None)
        value = item() if item is not None and getattr(value, "size", None) in (1, ()) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _measured(rate: str, known: dict[str, Any]) -> float | None:
    """The script's own measurement: a variable named after the rate, and after nothing that is asked."""
    for name, value in known.items():
        words = [w for w in re.split(r"[^a-z]+", name.lower()) if w]
        if rate_of(words) == rate and not set(words) & ASKED and isinstance(value, float) and 0 <= value <= 1:
            return value
    return None


def _plausible(rate: str, level: float) -> bool:
    return 0 < level <= 0.5 if rate in AT_MOST else 0.5 <= level < 1
