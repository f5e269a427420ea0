"""The replay page: a training in one file of HTML that plays without a network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from sightline import __version__
from sightline.report.style import STYLE
from sightline.report.writing import GENERATOR, write_text
from sightline.result import Result
from sightline.show.page_figures import more, stage
from sightline.show.page_words import Words, words_of
from sightline.show.picture import PictureError
from sightline.show.replay import Replay, replay_of
from sightline.show.themes import DARK, LIGHT, Theme

SCRIPTS = ("plot.js", "surface.js", "space.js", "course.js", "player.js")


def report(source: Any, path: str | os.PathLike[str], data: Any = None) -> Path:
    """Write one page of HTML that shows what ``source`` is and how it came about; the path.

    A training is replayed: loss surface with its path, decision boundary or line among the rows, losses and the gap to
    the certified optimum move in step, with play, steps and a slider. It needs no network and no other file, and stays
    below 300 kB: long trainings and many rows are thinned by rules that the page states.

    source : the result of ``sl.train``, a ``Trajectory``, or a list of weights with ``data=Objective(...)``. The result
        of ``sl.fit``, which has no path of its own to replay, gets the report that ``Result.report`` writes.
    path : where the page goes; what is there is replaced, whole or not at all.
    data : (X, y), for results that do not hold their rows.

    Raises
    ------
    PictureError : there is nothing to show in ``source``.  ValueError : the page cannot be written.
    """
    place = Path(path)
    if isinstance(source, Result) and not hasattr(source, "recipe"):
        from sightline.report import report as fitted

        if data is not None and not (isinstance(data, tuple | list) and len(data) == 2):
            raise PictureError("data= takes the pair (X, y) that the model was fitted on.")
        return fitted(source, place, *(data or ()))
    write_text(place, page(source, data))
    return place


def page(source: Any, data: Any = None) -> str:
    """The replay page as text; see ``report``."""
    replay = replay_of(source, data)
    return render(replay, words_of(source, replay))


def render(replay: Replay, words: Words) -> str:
    """The whole page."""
    script = _asset(SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    style = STYLE + _colours(replay) + _asset(("page.css",))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR} {__version__}">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(words.title)} · replay</title><style>{style}</style></head><body><main>"
        f"{_header(words)}{_noscript()}{stage(replay)}{more(replay)}{_notes(replay)}"
        f"<footer>Written by Sightline {__version__}. This page needs no network.</footer></main>"
        f'<script type="application/json" id="replay">{embedded(replay.data)}</script><script>{script}</script>'
        "</body></html>\n"
    )


def embedded(data: Any) -> str:
    """JSON that can stand inside of a script element, whatever the names in it are."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


@cache
def _asset(names: tuple[str, ...]) -> str:
    folder = files("sightline.show") / "page_assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _colours(replay: Replay) -> str:
    """The colours of the pictures, as variables: those of ``sl.show``'s themes."""

    def variables(theme: Theme) -> str:
        two = len(replay.data.get("labels") or ()) == 2
        classes = [*((theme.low, theme.high, theme.series[0]) if two else theme.series), theme.soft, theme.ink]
        classes += classes[: 8 - len(classes)]
        named = {f"c{k}": colour for k, colour in enumerate(classes)}
        named.update((f"s{k}", colour) for k, colour in enumerate(reversed(theme.surface)))
        return ";".join(f"--{name}:{colour}" for name, colour in named.items())

    return f":root{{{variables(LIGHT)}}}\n@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}\n"


def _header(words: Words) -> str:
    mark, kind = ("✓", "") if words.good else ("!", " warn")
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in words.facts)
    return (
        f'<header><p class="brand">Sightline · replay</p><h1>{escape(words.title)}</h1>'
        f'<p class="lead">{escape(words.lead)}</p>'
        f'<div class="verdict{kind}"><p><b>{mark} {escape(words.headline)}</b></p>'
        f"{f'<dl>{facts}</dl>' if facts else ''}</div></header>"
    )


def _noscript() -> str:
    words = "The replay needs JavaScript, which is switched off here. What is written above holds."
    return f"<noscript><p>{words}</p></noscript>"


def _notes(replay: Replay) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in replay.notes)
    return f'<section class="words"><h2>What is shown</h2><ul>{items}</ul></section>'
