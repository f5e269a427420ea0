"""`sightline separation`: whether classes are separated, before any fit."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from sightline.commands.reading import numbers, read_table, tell
from sightline.progress import Progress
from sightline.tables import TableError, check_classes, prepare

OVERLAP, SEPARATED = 0, 1


def run(
    data: str, target: str | None, labels: str | None, no_intercept: bool, weights: str | None, drop: tuple[str, ...],
    categorical: tuple[str, ...], missing: Any, reference: str | None, limit: bool, time_limit: float, as_json: bool,
    quiet: bool, **reading: Any,
) -> int:  # fmt: skip
    """Print what ``sl.separation`` finds; exit code 0 if the rows overlap, 1 if they are separated.

    Raises TableError, DataError or ValueError with a sentence for the person.
    """
    import sightline as sl

    if not time_limit > 0:
        raise TableError(f"--time-limit is {time_limit:g}: it must be a positive number of seconds")
    with Progress(quiet=quiet or as_json, hint="Ctrl-C ends it") as progress:
        progress.stage(f"reading {data}")
        table = read_table(data, target=target, labels=labels, categorical=categorical, **reading)
        if table.target is None:
            columns = ", ".join(table.names[:12])
            raise TableError(f"name the column of classes: --target COLUMN; {data} has {columns}")
        name = target or table.target.name
        weight = None
        if weights is not None:
            weight, table = numbers(table, weights, "--weights", least=0.0)
        design = prepare(table, drop=drop, missing=missing)
        assert design.y is not None
        check_classes(np.unique(design.y).tolist(), len(design.y), name)
        progress.stage("searching")
        found = sl.separation(
            design.X, design.y, sample_weight=None if weight is None else weight[design.rows],
            fit_intercept=not no_intercept, columns=design.columns, seconds=time_limit,
            reference=_label(reference, design.y),
        )  # fmt: skip
        # The rows as the person counts them in the file, from 1; rows left out for missing cells keep their number.
        found = replace(
            found, rows=design.rows[found.rows] + 1, settled=design.rows[found.settled] + 1
        )
        fitted = found.limit_fit() if limit else None
    tell(design.notes, quiet)
    if as_json:
        told = found.to_dict()
        if fitted is not None:
            told["limit"] = {
                "deviance": fitted.deviance, "gap": _json(fitted.gap), "rows": fitted.rows,
                "estimates": [_json(float(v)) for v in fitted.estimates],
                "standard_errors": [_json(float(v)) for v in fitted.errors],
            }  # fmt: skip
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{found}\n" + (f"\n{fitted}\n" if fitted is not None else ""))
    return SEPARATED if found.separated else OVERLAP


def _label(reference: str | None, y: Any) -> Any:
    """The class that the text on the command line means."""
    if reference is None:
        return None
    known = np.unique(y).tolist()
    for label in known:
        if str(label) == reference or (isinstance(label, float) and f"{label:g}" == reference):
            return label
    raise TableError(f"--reference {reference} is not a class of the target: {', '.join(map(str, known[:12]))}")


def _json(value: float) -> float | str | None:
    """A number as JSON can hold it: infinities as texts, None for NaN."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
