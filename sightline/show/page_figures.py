"""The pictures of a replay page: their captions, canvases and keys.  The page's script draws them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import cos, pi, sin

from sightline.show.page_controls import controls
from sightline.show.picture import percent
from sightline.show.replay import MOST_LABELS, Replay

NOW, DASHED = '<path d="M0 6h18" class="now-line"/>', '<path d="M0 6h18" class="dashed"/>'
FAINT, TICK = '<path d="M0 6h18" class="faint-line"/>', '<path d="M9 0v12" class="tick"/>'
HERE = '<circle cx="9" cy="6" r="5" class="now-dot"/>'
START = '<circle cx="9" cy="6" r="4" class="start-dot"/>'
BATCH = '<rect x="6" y="3" width="5" height="5" class="main-fill"/>'

def stage(replay: Replay) -> str:
    """The main pictures, with the controls below them."""
    data = replay.data
    figures = []
    if data["surface"]:
        share = data["surface"]["share"]
        caption = "Over the two weights."
        if share is not None:
            caption = f"A slice: the plane that holds most of the path's motion, {percent(share)}."
        figures.append(_figure("surface", "Loss surface", caption, _key(replay, "surface")))
    if data["space"]:
        told = data["space"]
        alone = "" if figures else "wide"
        figures.append(_figure("space", told["title"], told["caption"], _key(replay, "space"), alone))
    alone = "flat" if data["optimum"] else "flat wide"
    figures.append(_figure("loss", "Loss", "On each batch, and on all data.", _key(replay, "loss"), alone))
    if data["optimum"]:
        what = "optimum" if data["optimum"]["attained"] else "infimum"
        caption = "How far the objective on all data is above it."
        figures.append(_figure("gap", f"Gap to the certified {what}", caption, _key(replay, "gap"), "flat"))
    return (
        '<section class="stage"><h2 class="hidden">The replay</h2>'
        f'<div class="views">{"".join(figures)}</div>{controls(replay)}</section>'
    )


def more(replay: Replay) -> str:
    """Further pictures that move with them."""
    data, figures = replay.data, []
    if data["direction"]:
        caption = f"Rightwards the weights grow, downwards they turn to {data['direction']['reference']}."
        figures.append(_figure("weights", "Growing or learning", caption, _key(replay, "weights"), "low"))
    if data["bars"]:
        best, shown = data["bars"]["optimum"] is not None, len(data["bars"]["names"])
        name = "Weights beside the optimum's" if best else "Weights one by one"
        caption = f"The {shown} {'that end farthest from it' if best else 'largest at the end'}."
        caption = caption if data["bars"]["left"] else "All of them."
        figures.append(_figure("coefficients", name, caption, _key(replay, "bars"), "low"))
    if data["steepness"]:
        caption = "How far from the optimum along each direction of the surface, flat ones to the left."
        figures.append(_figure("steepness", "What is slow", caption, _key(replay, "steepness"), "low"))
    if data["curve"]:
        caption = "What the loss makes of each row's score; the rows are on it."
        figures.append(_figure("score", "The loss of each row", caption, _key(replay, "classes"), "low"))
    if not figures:
        return ""
    views = f'<div class="views">{"".join(figures)}</div>'
    kind = "more four" if len(figures) == 4 else "more"
    return f'<section class="{kind}"><h2>In step with the replay</h2>{views}</section>'


def _figure(view: str, name: str, caption: str, key: str, kind: str = "") -> str:
    cls = f' class="{kind}"' if kind else ""
    return (
        f'<figure data-view="{view}"{cls}><figcaption><b>{escape(name)}</b>{escape(caption)}</figcaption>'
        f'<canvas role="img" aria-label="{escape(name)}"></canvas>{key}</figure>'
    )


def _key(replay: Replay, view: str) -> str:
    """What the lines and marks of a picture mean."""
    items = _meanings(replay, view)
    if view in ("space", "classes") and replay.data.get("labels"):
        items += _labels(replay.data["labels"])
    told = "".join(
        f'<span><svg viewBox="0 0 18 12" aria-hidden="true">{mark}</svg>{escape(text)}</span>' for mark, text in items
    )
    return f'<p class="key">{told}</p>'


def _meanings(replay: Replay, view: str) -> list[tuple[str, str]]:
    data, frames = replay.data, replay.frames
    optimum = data["optimum"] or {}
    star = f'<path d="{_polygon([6.0, 2.5] * 5, -0.5)}" class="ink-fill"/>'
    if view == "surface":
        items = [(HERE, "now"), (NOW, "path so far")]
        if data["surface"]["optimum"]:
            items.append((star, "the certified optimum"))
        elif data["surface"]["ray"]:
            items.append((DASHED, "towards the widest margin: there is no optimum"))
        return items
    if view == "space":
        reference, kind = data["space"]["reference"], data["space"]["kind"]
        if kind == "scores":
            return [(NOW, "boundary now"), (DASHED, f"boundary by {reference}")] if data["space"]["zero"] else []
        return [(NOW, "now"), (FAINT, "earlier")] + ([(DASHED, reference)] if reference else [])
    if view == "loss":
        items = [(BATCH, "batch")] if any(v is not None for v in frames.batch) else []
        items += [(NOW, "all data")] if any(v is not None for v in frames.loss) else []
        if optimum.get("loss") is not None:
            items.append((DASHED, "at the certified optimum" if optimum["attained"] else "the infimum"))
        return items
    if view == "gap":
        return [(NOW, "gap, logarithmic")]
    if view == "weights":
        return [(HERE, "now")] + ([(star, "the certified optimum")] if data["direction"]["optimum"] else [])
    if view == "steepness":
        limit = [(DASHED, "2 / learning rate: steeper ones overshoot")] if data["steepness"]["limit"] else []
        return [(HERE, "now"), (START, "at the start"), *limit]
    if view == "bars":
        return [(HERE, "now")] + ([(TICK, "the certified optimum")] if data["bars"]["optimum"] else [])
    return []


def _labels(labels: Sequence[str]) -> list[tuple[str, str]]:
    found = [(f'<path d="{_shape(k)}" class="c{k % 8}"/>', label) for k, label in enumerate(labels[:MOST_LABELS])]
    return found + ([("", "and others")] if len(labels) > MOST_LABELS else [])


def _shape(k: int) -> str:
    """The mark of a class, as ``shape`` in plot.js draws it."""
    if k % 8 == 0:
        return "M4.5 6a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z"
    sides = (0, 4, 3, 4, 3, 5, 6, 5)[k % 8]
    return _polygon([5.4] * sides, (0, 0.25, -0.5, 0, 0.5, -0.5, 0, 0.5)[k % 8])


def _polygon(radii: Sequence[float], turn: float) -> str:
    """A path with corners at these distances from the middle of a key's place, turned by ``turn`` · π."""
    angles = [pi * (turn + 2 * i / len(radii)) for i in range(len(radii))]
    corners = [f"{9 + r * cos(a):.1f} {6 + r * sin(a):.1f}" for r, a in zip(radii, angles, strict=True)]
    return f"M{'L'.join(corners)}Z"
