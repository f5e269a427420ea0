"""`sightline show`: the table of a model, and its report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sightline.commands.reading import load
from sightline.summary import Summary
from sightline.tables import TableError


def run(model: str, html: str | None, whole: bool, as_json: bool) -> None:
    """Print the table, or JSON; write the report where one is asked for."""
    result, path = load(model)
    summary = Summary.of(result)
    if html is not None:
        from sightline.report import page
        from sightline.report.writing import is_report, write_text

        place = Path(html)
        if place.exists() and not is_report(place):
            raise TableError(f"--html {html} is there and is no report of Sightline's: choose another name")
        write_text(place, page(result, str(path)))
    if as_json:
        sys.stdout.write(json.dumps(summary.to_dict(), indent=2, ensure_ascii=False) + "\n")
    else:
        from sightline.terminal import MOST, show

        show(summary, most=sys.maxsize if whole else MOST)
    if html is not None and not as_json:
        sys.stdout.write(f"\nreport  {html}\n")
