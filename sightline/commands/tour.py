"""`sightline tour`: run the cases, tell them, write their page."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sightline.progress import Progress
from sightline.tables import TableError
from sightline.tour import CASES, Story, find


def run(case: str | None, out: str | None, short: bool) -> None:
    """Run the case of that number or name, or all of them, and tell each as soon as it has run.

    Raises ValueError or TableError with a sentence for the person.
    """
    from sightline.tour.terminal import Teller

    chosen = CASES if case is None else (find(case),)
    if short and out is not None:
        raise ValueError("--short tells the outcomes alone and draws nothing: leave it out to have the page (--out).")
    page = None if out is None else _place(out, "tour.html" if case is None else f"{chosen[0].name}.html")
    teller = Teller(sys.stdout)
    stories: list[Story] = []
    if case is None:
        teller.opening(short)
    for one in chosen:
        with Progress(hint="Ctrl-C ends the tour") as progress:
            progress.stage(f"running case {one.number} of {len(CASES)}, {one.name}")
            stories.append(one.story(short))
        teller.story(stories[-1], short)
    teller.closing(case is None, short)
    if page is not None:
        from sightline.report.writing import write_text
        from sightline.tour.page import page as html

        with Progress(hint="Ctrl-C ends the tour") as progress:
            progress.stage("drawing the pictures")
            write_text(page, html(stories))
        sys.stdout.write(f"\npage  {page}\n")


def _place(out: str, name: str) -> Path:
    """Where the page goes; found out before anything runs that the folder can be written to and matplotlib is here.

    Raises TableError.
    """
    from sightline.report.writing import is_report

    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise TableError("the page's pictures need matplotlib: pip install 'sightline[plot]'") from None
    path = Path(out)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".sightline-"):
            pass
    except FileExistsError:
        raise TableError(f"--out {out} is a file: name a folder") from None
    except OSError as error:
        raise TableError(f"cannot write to the folder {out}: {error.strerror or error}; --out names another") from None
    place = path / name
    if place.exists() and not is_report(place):
        raise TableError(f"{place} is there and was not written by Sightline: choose another folder by --out")
    return place
