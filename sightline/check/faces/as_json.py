"""A report as JSON and back: plain values, findings most important first, numbers that JSON lacks as null and a text.

A number that is not finite becomes null, and beside it stands its name with ``_text``: ``"loss": null, "loss_text":
"NaN"``. In a list the texts stand in a list of the same length.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sightline.check.finding import Finding, Number, Outcome, Place, Report, Severity, Tried
from sightline.check.verdict import verdict

SCHEMA = 1
TEXTS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
SUFFIX = "_text"


def dumps(report: Report) -> str:
    """The report as text of strict JSON (no NaN), indented, with a line's end."""
    return json.dumps(to_dict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def loads(text: str) -> Report:
    """The report of such a text; see ``from_dict``."""
    return from_dict(json.loads(text))


def to_dict(report: Report) -> dict[str, Any]:
    """The report as dictionaries, lists, texts, finite numbers, booleans and None."""
    from sightline import __version__

    return {
        "schema": SCHEMA,
        "sightline": __version__,
        "script": report.script,
        "verdict": report.verdict or verdict(report.findings, report.reached, report.ending),
        "healthy": report.healthy,
        "findings": [_finding(f) for f in report.findings],
        "optimum": _outcome(report.optimum),
        "reached": _outcome(report.reached),
        "unrecovered": report.unrecovered,
        "training": _finite(report.training),
        "ending": report.ending,
        "error": report.error,
        "notes": list(report.notes),
    }


def from_dict(told: Mapping[str, Any]) -> Report:
    """The report that ``to_dict`` told of; without the numbers for pictures, which are no part of it.

    Raises
    ------
    ValueError : another schema.
    """
    if told.get("schema") != SCHEMA:
        raise ValueError(f"this report has the schema {told.get('schema')!r}; {SCHEMA} is the one that can be read.")
    return Report(
        script=told["script"], verdict=told["verdict"], findings=tuple(_finding_of(f) for f in told["findings"]),
        optimum=_outcome_of(told["optimum"]), reached=_outcome_of(told["reached"]), unrecovered=told["unrecovered"],
        training=_restored(told["training"]), ending=told["ending"], error=told["error"], notes=tuple(told["notes"]),
    )  # fmt: skip


def _finding(finding: Finding) -> dict[str, Any]:
    tried = finding.tried
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "what": finding.what,
        "where": _place(finding.where),
        "measured": _number(finding.measured),
        "bound": _number(finding.bound),
        "why": finding.why,
        "fix": finding.fix,
        "tried": None if tried is None else {
            "what": tried.what,
            "before": _outcome(tried.before),
            "after": _outcome(tried.after),
            "optimum": _outcome(tried.optimum),
            "no_minimum": tried.no_minimum,
            "settled": tried.settled,
        },
        **_finite({"weight": finding.weight}),
        "others": [_place(place) for place in finding.others],
    }  # fmt: skip


def _finding_of(told: Mapping[str, Any]) -> Finding:
    tried, measured = told["tried"], _number_of(told["measured"])
    assert measured is not None
    return Finding(
        rule=told["rule"], severity=Severity(told["severity"]), what=told["what"], where=_place_of(told["where"]),
        measured=measured, bound=_number_of(told["bound"]), why=told["why"], fix=told["fix"],
        tried=None if tried is None else Tried(
            tried["what"], _outcome_of(tried["before"]) or Outcome(), _outcome_of(tried["after"]),
            _outcome_of(tried["optimum"]), tried["no_minimum"],
        ),
        weight=_restored(told)["weight"], others=tuple(Place(**place) for place in told["others"]),
    )  # fmt: skip


def _place(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return {"file": place.file, "line": int(place.line), "code": place.code, "function": place.function}


def _place_of(told: Mapping[str, Any] | None) -> Place | None:
    return None if told is None else Place(**told)


def _number(number: Number | None) -> dict[str, Any] | None:
    """``text`` is the number's own, or that of a value that is not finite; a reader needs no other."""
    if number is None:
        return None
    return _finite({"value": number.value, "what": number.what, "text": number.text})


def _number_of(told: Mapping[str, Any] | None) -> Number | None:
    return None if told is None else Number(**_restored(told))


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    if outcome is None:
        return None
    return _finite({
        "loss": outcome.loss, "accuracy": outcome.accuracy, "gap": outcome.gap, "certified": outcome.certified,
    })  # fmt: skip


def _outcome_of(told: Mapping[str, Any] | None) -> Outcome | None:
    return None if told is None else Outcome(**_restored(told))


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with numbers that are not finite as None, and their texts beside them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        clean, text = _split(value)
        found[str(name)] = clean
        if text is not None:
            found[f"{name}{SUFFIX}"] = text
    return found


def _split(value: Any) -> tuple[Any, Any]:
    """A value as JSON can hold it, and the texts of what in it is not finite (None where all is)."""
    if hasattr(value, "tolist"):  # of NumPy or PyTorch
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value, None
    if isinstance(value, float):
        if math.isfinite(value):
            return value, None
        return None, "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return _finite(value), None
    if isinstance(value, list | tuple | set | frozenset):
        pairs = [_split(v) for v in value]
        texts = [text for _, text in pairs]
        return [clean for clean, _ in pairs], texts if any(text is not None for text in texts) else None
    return str(value), None


def _restored(values: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of ``_finite``; tuples come back as lists."""
    texts = {
        name: name.removesuffix(SUFFIX) for name, value in values.items()
        if name.endswith(SUFFIX) and _tells(values.get(name.removesuffix(SUFFIX), ""), value)
    }  # fmt: skip
    return {
        name: _joined(value, values[f"{name}{SUFFIX}"] if name in texts.values() else None)
        for name, value in values.items() if name not in texts
    }  # fmt: skip


def _tells(clean: Any, text: Any) -> bool:
    """Whether a text is what ``_finite`` puts beside that value, not an entry that happens to be called so."""
    if isinstance(clean, list) and isinstance(text, list):
        told = [(c, t) for c, t in zip(clean, text, strict=False) if t is not None]
        return len(clean) == len(text) and bool(told) and all(_tells(c, t) for c, t in told)
    return clean is None and isinstance(text, str) and text in TEXTS


def _joined(clean: Any, text: Any) -> Any:
    """A value with its text put back."""
    if isinstance(clean, Mapping):
        return _restored(clean)
    if isinstance(clean, list):
        texts = text or [None] * len(clean)
        return [_joined(c, t) for c, t in zip(clean, texts, strict=True)]
    return clean if text is None else TEXTS[text]
