"""`sightline certify`: how far a model is from the best there is on some data."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from sightline.commands.reading import encoder_of, how_fitted, load, numbers, read_table, tell
from sightline.progress import Progress
from sightline.summary import Summary
from sightline.tables import TableError, prepare

OPTIMAL, NOT_OPTIMAL = 0, 1


def run(
    model: str, data: str, target: str | None, labels: str | None, missing: Any, tol: float, as_json: bool, quiet: bool,
    **reading: Any,
) -> int:  # fmt: skip
    """Print the certificate of the model's weights on the data; exit code 0 if they are proven optimal, else 1.

    Raises TableError, DataError or ValueError with a sentence for the person.
    """
    import sightline as sl

    with Progress(quiet=quiet or as_json) as progress:
        progress.stage(f"reading {data}")
        result, path = load(model)
        encoder, fit = encoder_of(result), how_fitted(result)
        name = target if target is not None or labels is not None else fit.get("target")
        if name is None and labels is None:
            raise TableError(f"name the column to be predicted: --target COLUMN; {path} does not say which it was")
        table = read_table(data, target=name, labels=labels, categorical=encoder.categorical, **reading)
        given: dict[str, Any] = {}
        for key, option, least in (("weights", "--weights", 0.0), ("offset", "--offset", None)):
            if fit.get(key) is not None:
                given[key], table = numbers(table, fit[key], option, least=least)
        design = prepare(table, encoder, missing=missing)
        assert design.y is not None
        y = _labels(design.y, result.classes, name or "target", data)
        weight, offset = (given[key][design.rows] if key in given else None for key in ("weights", "offset"))
        progress.stage("proving")
        certificate = sl.certify(
            result, design.X, y, loss=result.loss, penalty=result.penalty, sample_weight=weight, offset=offset,
            class_weight=fit.get("class_weight"), tol=tol,
        )  # fmt: skip
    summary = Summary.of(replace(result, certificate=certificate, extra={}))
    if as_json:
        sys.stdout.write(json.dumps(summary.proof_dict(), indent=2, ensure_ascii=False) + "\n")
    else:
        tell((note for note in design.notes if "not used by the model" not in note), quiet)
        from sightline.terminal import certificate as words

        words(summary, about=f"{path} on {data}: {len(y):,} rows, {result.loss} loss, penalty {summary.penalty_words}")
    return OPTIMAL if certificate.optimal else NOT_OPTIMAL


def _labels(y: Any, classes: tuple[Any, ...] | None, name: str, data: str) -> Any:
    """The target, as numbers or as labels that the model knows."""
    if classes is None:
        if y.dtype.kind not in "biuf":
            raise TableError(f"target {name!r} of {data} holds texts like {str(y[0])!r}; the model predicts numbers")
        return y.astype(np.float64)
    unknown = [label for label in np.unique(y).tolist() if label not in classes]
    if unknown:
        known = ", ".join(map(repr, classes[:8]))
        raise TableError(f"target {name!r} of {data} holds {unknown[0]!r}, and the model tells apart {known}")
    return y
