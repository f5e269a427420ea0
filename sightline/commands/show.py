"""`sightline show`: the table of a model and its report, or where a training went and its replay."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sightline.commands.reading import encoder_of, load, read_table
from sightline.result import Result
from sightline.summary import Summary
from sightline.tables import TableError
from sightline.tables.errors import plural


def run(
    model: str, html: str | None, whole: bool, as_json: bool, data: str | None, target: str | None, labels: str | None,
    **reading: Any,
) -> None:  # fmt: skip
    """Print the table, or JSON; write the report or the replay where one is asked for."""
    result, path = load(model)
    training = hasattr(result, "recipe")
    if data is not None and not (training and html is not None):
        raise TableError("--data gives a training's rows to its replay: name a training, and --html FILE")
    if html is not None:
        rows = None if data is None else _rows(result, data, target, labels, **reading)
        _write(result, path, Path(html), html, training, rows)
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


def _write(result: Result, path: Path, place: Path, html: str, training: bool, rows: tuple[Any, Any] | None) -> None:
    from sightline.report.writing import is_report, write_text

    if place.exists() and not is_report(place):
        raise TableError(f"--html {html} is there and is no report of Sightline's: choose another name")
    if training:
        from sightline.show.page import page as replay

        write_text(place, replay(result, rows))
    else:
        from sightline.report import page

        write_text(place, page(result, str(path)))


def _rows(result: Any, data: str, target: str | None, labels: str | None, **reading: Any) -> tuple[Any, Any]:
    """X and y that a training saw, from a file; columns in their order where the training had no names for them."""
    from sightline.tables import prepare

    if target is None and labels is None:
        raise TableError("name the column that was predicted: --target COLUMN")
    encoder = encoder_of(result) if result.columns is not None else None
    design = prepare(read_table(data, target=target, labels=labels, **reading), encoder)
    p = result.weight.shape[1]
    if design.X.shape[1] != p:
        raise TableError(f"{data} has {plural(design.X.shape[1], 'column')} beside the target; the training had {p:,}")
    return design.X, design.y


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
