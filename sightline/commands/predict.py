"""`sightline predict`: predictions for new rows, as CSV."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sightline.commands.reading import encoder_of, how_fitted, load, numbers, read_table, tell
from sightline.report.writing import write_text
from sightline.result import Result
from sightline.tables import TableError, prepare
from sightline.tables.column import number_text


def run(
    model: str, data: str, out: str | None, probability: bool, missing: Any, quiet: bool, **reading: Any
) -> None:
    """Write the predictions: one line for each row of the data, empty where a row with missing cells is left out.

    Raises TableError with a sentence for the person.
    """
    result, _ = load(model)
    encoder, fit = encoder_of(result), how_fitted(result)
    if probability and result.loss.name not in ("logistic", "softmax"):
        raise TableError(f"--probability: the {result.loss} loss gives none; a logistic or softmax model does")
    if out is not None and Path(out).is_dir():
        raise TableError(f"--out {out} is a folder: name a file")
    table = read_table(data, categorical=encoder.categorical, **reading)
    offset = None
    if fit.get("offset") is not None:
        if fit["offset"] not in table:
            raise TableError(f"{data} lacks the column {fit['offset']!r}: the model was fitted with it as its offset")
        offset, table = numbers(table, fit["offset"], "--offset")
    design = prepare(table, encoder, missing=missing)
    shift = None if offset is None else offset[design.rows]
    names, columns = predictions(result, design.X, shift, probability)
    notes = [note for note in design.notes if "not used by the model" not in note or fit.get("target") is None]
    tell(notes, quiet)
    content = _csv(names, columns, design.rows, table.n)
    if out is None:
        sys.stdout.write(content)
    else:
        write_text(Path(out), content)


def predictions(result: Result, X: Any, offset: Any, probability: bool) -> tuple[list[str], list[Sequence[Any]]]:
    """Names and values of the columns that are written."""
    said = result.predict(X, offset)
    values = said.numpy() if hasattr(said, "numpy") else np.asarray(said)
    if values.ndim == 2:
        return [f"prediction[{k + 1}]" for k in range(values.shape[1])], list(values.T.tolist())
    names, columns = ["prediction"], [values.tolist()]
    if probability:
        chances = result.predict_proba(X, offset).numpy()
        names += [f"probability[{name}]" for name in result.classes or ()]
        columns += list(chances.T.tolist())
    return names, list(columns)


def _csv(names: Sequence[str], columns: Sequence[Sequence[Any]], rows: Any, n: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    place = {int(row): i for i, row in enumerate(rows)} if len(rows) < n else None
    for row in range(n):
        at = row if place is None else place.get(row)
        writer.writerow([""] * len(names) if at is None else [_cell(column[at]) for column in columns])
    return text.getvalue()


def _cell(value: Any) -> str:
    return number_text(value) if type(value) is float else str(value)
