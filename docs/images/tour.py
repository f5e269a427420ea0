"""Makes tour.png, the picture of docs/tour.md: `.venv/bin/python docs/images/tour.py`.  Needs Chromium."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sightline.tour import tell
from sightline.tour.page import page

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))

from browser import browser  # noqa: E402 - Chromium, as the tests drive it

WIDTH, HEIGHT = 900, 868

with tempfile.TemporaryDirectory() as folder, browser() as chromium:
    place = Path(folder) / "two-points.html"
    place.write_text(page([tell("two-points")]), encoding="utf-8")
    chromium.open(place, WIDTH, HEIGHT)
    # From the heading "What it gave" on, with a little air above it.
    chromium.run(
        "scrollTo(0, [...document.querySelectorAll('h3')].find(h => h.textContent === 'What it gave')"
        ".getBoundingClientRect().top + scrollY - 24)"
    )
    chromium.picture(HERE / "tour.png")
    assert chromium.errors == []
