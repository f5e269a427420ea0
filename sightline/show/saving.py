"""Save a picture with its words: the alternative text goes into the file."""

from __future__ import annotations

import base64
import io
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.show.canvas import need_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg", ".pdf")


def alt_text(axes: Axes | tuple[Axes, ...]) -> str:
    """The alternative text of a picture: what it shows, with its numbers, for who cannot see it.

    Raises
    ------
    ValueError : the Axes hold no picture of Sightline's.
    """
    found = []
    for ax in _all(axes):
        text = getattr(ax, "sightline_alternative", "")
        if text and text not in found:
            found.append(text)
    if not found:
        raise ValueError("these Axes hold no picture of sl.show; draw one in them first.")
    return " ".join(found)


def save(axes: Axes | tuple[Axes, ...], path: str | os.PathLike[str], *, dpi: float = 100) -> Path:
    """Write the figure of a picture to a PNG, SVG or PDF, with its alternative text in the file's metadata (PNG:
    ``Description``; SVG: ``<title>`` and ``<desc>``, as screen readers take them; PDF: ``Subject``); the path.

    dpi : pixels an inch of a PNG; the pictures are six inches wide, so 100 makes 600 pixels.

    Raises
    ------
    ValueError : another ending, or no picture.  OSError : the file cannot be written.
    """
    need_matplotlib()
    import matplotlib

    place = Path(path)
    ending = place.suffix.lower()
    if ending not in FORMATS:
        raise ValueError(f"{place.name!r} does not say which format: it must end in {', '.join(FORMATS)}.")
    first = _all(axes)[0]
    title, words = getattr(first, "sightline_title", ""), alt_text(axes)
    names: dict[str, dict[str, Any]] = {
        ".png": {"Title": title, "Description": words, "Software": "Sightline"},
        ".svg": {"Title": title, "Description": words, "Creator": "Sightline", "Date": None},
        ".pdf": {"Title": title, "Subject": words, "Creator": "Sightline", "CreationDate": None},
    }
    figure = first.figure
    options = {"dpi": dpi, "facecolor": figure.get_facecolor(), "metadata": names[ending], "format": ending[1:]}
    if ending != ".svg":
        figure.savefig(place, **options)
        return place
    buffer = io.StringIO()
    # The one setting of matplotlib that no argument reaches, for names in the file that do not change between runs.
    with matplotlib.rc_context({"svg.hashsalt": "sightline"}):
        figure.savefig(buffer, **options)
    head, rest = buffer.getvalue().split("<svg ", 1)
    inside = f'role="img" aria-labelledby="title desc" {rest}'
    opening, body = inside.split(">", 1)
    told = f'<title id="title">{escape(title)}</title><desc id="desc">{escape(words)}</desc>'
    place.write_text(f"{head}<svg {opening}>{told}{body}", encoding="utf-8")
    return place


def address(axes: Axes | tuple[Axes, ...], dpi: float = 200) -> str:
    """The figure of a picture as the ``data:`` address of an SVG, or of a PNG of ``dpi`` where that is smaller."""
    need_matplotlib()
    figure: Any = _all(axes)[0].figure
    found = {"svg+xml": _bytes(figure, "svg", dpi), "png": _bytes(figure, "png", dpi)}
    name, smallest = min(found.items(), key=lambda pair: len(pair[1]))
    return f"data:image/{name};base64,{base64.b64encode(smallest).decode()}"


def small_address(axes: Axes | tuple[Axes, ...], dpi: float, colours: int = 128) -> str:
    """The figure of a picture as the ``data:`` address of a PNG of few colours, a third of the size of one of all."""
    need_matplotlib()
    from PIL import Image  # which matplotlib brings

    figure: Any = _all(axes)[0].figure
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(_bytes(figure, "png", dpi))) as whole:
        few = whole.convert("RGB").quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _bytes(figure: Any, kind: str, dpi: float) -> bytes:
    import matplotlib

    buffer = io.BytesIO()
    # The one setting of matplotlib that no argument reaches, for names in the file that do not change between runs.
    with matplotlib.rc_context({"svg.hashsalt": "sightline"}):
        figure.savefig(
            buffer, format=kind, dpi=dpi, facecolor=figure.get_facecolor(),
            metadata={"Date": None} if kind == "svg" else None,
        )  # fmt: skip
    return buffer.getvalue()


def _all(axes: Any) -> tuple[Any, ...]:
    return tuple(axes) if isinstance(axes, tuple | list) else (axes,)
