"""A report of a fitted model: one page of HTML that needs nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sightline.result import Result

__all__ = ["page", "report"]


def page(result: Result, model: str = "model.safetensors") -> str:
    """The page as text.  model : where the model is saved, for the lines that load it."""
    from sightline.report.layout import Page
    from sightline.summary import Summary

    return Page(Summary.of(result), model).html()


def report(
    result: Result,
    path: str | os.PathLike[str],
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    offset: Any = None,
) -> Path:
    """Write the report of a result to ``path``; the path.

    X, y : the rows it was fitted on, for standard errors, metrics and pictures; a model that ``sightline fit`` saved
        has those with it.  sample_weight, offset : as in ``fit``.
    """
    from dataclasses import replace

    from sightline.report.writing import write_text

    if X is not None:
        from sightline.facts import Rows, gather

        if y is None:
            raise ValueError("y is missing: a report from data needs both X and y.")
        facts = gather(result, Rows(X, y, sample_weight, offset))
        result = replace(result, extra={**result.extra, "facts": facts})
    place = Path(path)
    write_text(place, page(result))
    return place
