"""`sightline show`: the table of a model and its report, or where a training went and its replay."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sightline.commands.reading import load
from sightline.result import Result
from sightline.summary import Summary
from sightline.tables import TableError


def run(model: str, html: str | None, whole: bool, as_json: bool) -> None:
    """Print the table, or JSON; write the report or the replay where one is asked for."""
    result, path = load(model)
    training = hasattr(result, "recipe")
    if html is not None:
        _write(result, path, Path(html), html, training)
    if as_json:
        told = _training(result) if training else Summary.of(result).to_dict()
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    elif training:
        sys.stdout.write(f"{result}\n")
    else:
        from sightline.terminal import MOST, show

        show(Summary.of(result), most=sys.maxsize if whole else MOST)
    if html is not None and not as_json:
        sys.stdout.write(f"\n{'replay' if training else 'report'}  {html}\n")


def _write(result: Result, path: Path, place: Path, html: str, training: bool) -> None:
    from sightline.report.writing import is_report, write_text

    if place.exists() and not is_report(place):
        raise TableError(f"--html {html} is there and is no report of Sightline's: choose another name")
    if training:
        from sightline.show.page import page as replay

        write_text(place, replay(result))
    else:
        from sightline.report import page

        write_text(place, page(result, str(path)))


def _training(result: Any) -> dict[str, Any]:
    """A training as plain values: what was run, where it ended, what that means."""
    proof = result.certificate
    return {
        "recipe": str(result.recipe), "rows": result.rows, "steps": result.n_iter, "stopped": result.stopped,
        "minimised": getattr(result.minimised, "sentence", None), "sentence": result.sentence,
        "weight": result.weight.tolist(), "bias": result.bias.tolist(),
        "certificate": None if proof is None else _finite(proof.to_dict()),
    }  # fmt: skip


def _finite(told: dict[str, Any]) -> dict[str, Any]:
    """With None for numbers that JSON lacks."""
    return {k: None if v in (float("inf"), float("-inf")) or v != v else v for k, v in told.items()}
