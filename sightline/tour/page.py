"""Stories as one page of HTML that needs nothing else: pictures in light and dark, and trainings to replay."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape, unescape
from typing import Any

from sightline import __version__
from sightline.report.style import STYLE
from sightline.report.writing import GENERATOR
from sightline.tour.story import Code, Part, Picture, Replay, Story, Table

THEMES = ("light", "dark")

TOUR = """
main{max-width:860px}
nav ol{list-style:none;padding:0;margin:28px 0 0;display:grid;gap:10px;
grid-template-columns:repeat(auto-fit,minmax(230px,1fr))}
nav li{margin:0;max-width:none}
nav a{display:block;height:100%;padding:12px 16px;background:var(--panel);border-radius:4px;text-decoration:none;
color:var(--ink)}
nav a:hover,nav a:focus-visible{outline:2px solid var(--main)}
nav b{display:block;font-weight:650}nav span{color:var(--soft);font-size:14px}
article{margin-top:72px;padding-top:28px;border-top:1px solid var(--line)}
article>h2{font-size:26px;margin:0 0 6px;letter-spacing:-.01em}
article>h2 small{color:var(--soft);font-weight:400;margin-right:.5em}
article h3{font-size:19px;margin:40px 0 6px}
.outcome{margin:20px 0 0;padding:14px 18px;background:var(--panel);border-left:5px solid var(--main);border-radius:4px}
.outcome dt{color:var(--soft)}.outcome dd b{font-weight:650}
.told{width:auto;min-width:min(100%,420px);margin:14px 0}
.told td,.told th{white-space:nowrap;padding-right:28px}
.told .words{white-space:normal;min-width:9ch}
.told th.num{text-align:right}
.picture{margin:22px 0}
.picture img{display:block;width:100%;height:auto}
.picture.narrow img{max-width:640px}
.picture figcaption{margin:6px 0 0;max-width:68ch}
.replay{margin:22px 0}
.replay figcaption{margin:0 0 10px}
.replay iframe{display:block;width:100%;height:760px;border:1px solid var(--line);border-radius:4px;
background:var(--page)}
.source{color:var(--soft);font-size:13px;margin-top:28px}
@media (max-width:640px){.told td,.told th{padding-right:16px}article{margin-top:48px}.outcome dl{gap:0}}
@media print{.replay{display:none}article{break-before:page}}
"""

# Replays are as tall as what they hold.
FIT = """
for (const frame of document.querySelectorAll("iframe")) {
  const watch = () => {
    const inside = frame.contentDocument && frame.contentDocument.querySelector("main");
    if (!inside) return;
    const fit = () => { frame.style.height = Math.ceil(inside.getBoundingClientRect().height) + 4 + "px"; };
    fit();
    new ResizeObserver(fit).observe(inside);
  };
  if (frame.contentDocument && frame.contentDocument.readyState === "complete") watch();
  frame.addEventListener("load", watch);
}
"""

# In the tour's page a replay has no title and verdict of its own, which the story has told, nor its lesser pictures.
FRAMED = "<style>main{padding:12px 16px;max-width:none}header,.words,footer{display:none}</style>"
LESSER = re.compile(r'<section class="more[ "].*?</section>', re.DOTALL)


def page(stories: Sequence[Story]) -> str:
    """The page of one story or several, as text."""
    one = len(stories) == 1
    title = stories[0].title if one else "The tour: five trainings that fell short"
    body = "".join(_story(story) for story in stories)
    # A replay's page inside of this one is held to the policy of both.
    inside = [unescape(script) for script in re.findall(r"&lt;script&gt;(.*?)&lt;/script&gt;", body, re.DOTALL)]
    scripts = sorted({_digest(script) for script in [FIT, *inside]})
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src " + " ".join(scripts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR} {__version__}">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{TOUR}</style></head><body><main>"
        f"{_head(stories)}{body}<footer>Written by Sightline {__version__}. Every number on this page was computed when"
        f" it was written. It needs no network.</footer></main><script>{FIT}</script></body></html>\n"
    )


def _digest(script: str) -> str:
    """A script's digest, as the page's policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _head(stories: Sequence[Story]) -> str:
    lead = (
        "Posted by people who asked why. All of them are linear models, so the optimum is known or provably absent, and"
        " how far a training is from it is a number."
    )
    if len(stories) == 1:
        return '<header><p class="brand">Sightline · the tour</p></header>'
    links = "".join(
        f'<li><a href="#{s.name}"><b>{s.number} {escape(s.title)}</b><span>{escape(s.question)}</span></a></li>'
        for s in stories
    )
    return (
        '<header><p class="brand">Sightline · the tour</p><h1>Five trainings that fell short, and why</h1>'
        f'<p class="lead">{lead}</p></header><nav aria-label="The cases"><ol>{links}</ol></nav>'
    )


def _story(story: Story) -> str:
    outcome = "".join(f"<dt>{escape(head)}</dt><dd>{_inline(words)}</dd>" for head, words in story.outcome)
    scenes = "".join(
        f"<h3>{escape(scene.heading)}</h3>{''.join(_part(part) for part in scene.parts)}" for scene in story.scenes
    )
    source = f'<p class="source">Source: {escape(story.source)}.</p>' if story.source else ""
    return (
        f'<article id="{story.name}"><h2><small>{story.number}</small>{escape(story.title)}</h2>'
        f'<p class="lead">{_inline(story.question)}</p><div class="outcome"><dl>{outcome}</dl></div>'
        f"{scenes}{source}</article>"
    )


def _inline(words: str) -> str:
    """Escaped, with what stands between backticks as code."""
    pieces = escape(words, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))


def _part(part: Part) -> str:
    if isinstance(part, str):
        return f"<p>{_inline(part)}</p>"
    if isinstance(part, Code):
        return f"<pre>{escape(part.text, quote=False)}</pre>"
    if isinstance(part, Table):
        return _table(part)
    return _picture(part) if isinstance(part, Picture) else _replay(part)


def _table(table: Table) -> str:
    kinds = ["words" if k in table.words else "num" for k in range(len(table.header))]
    head = "".join(f'<th scope="col" class="{kind}">{_inline(name)}</th>' for kind, name in zip(kinds, table.header))
    rows = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{_inline(cell)}</td>' for kind, cell in zip(kinds, row)) + "</tr>"
        for row in table.rows
    )
    return f'<div class="scroll"><table class="told"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _picture(picture: Picture) -> str:
    """Both themes; the reader's browser takes the one it shows pages in."""
    from sightline.show.saving import address, alt_text

    drawn = {theme: picture.draw(theme) for theme in THEMES}
    light, dark = (address(axes) for axes in drawn.values())
    figure = _figure(drawn["light"])
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    narrow = " narrow" if width <= 640 else ""
    words = escape(alt_text(drawn["light"]))
    return (
        f'<figure class="picture{narrow}"><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" width="{width}" height="{height}" alt="{words}"></picture>'
        f"<figcaption>{_inline(picture.caption)}</figcaption></figure>"
    )


def _figure(axes: Any) -> Any:
    return (axes[0] if isinstance(axes, tuple) else axes).figure


def _replay(replay: Replay) -> str:
    from sightline.show.page import page as whole

    inside = LESSER.sub("", whole(replay.training)).replace("</head>", FRAMED + "</head>", 1)
    name = escape(re.sub("[`*]", "", replay.caption))
    return (
        f'<figure class="replay"><figcaption>{_inline(replay.caption)} Press play, or step.</figcaption>'
        f'<iframe title="{name}" srcdoc="{escape(inside)}"></iframe></figure>'
    )
