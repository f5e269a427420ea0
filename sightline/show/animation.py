"""Animations: a training in motion, as a GIF or as one page of HTML with its own player."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.show import canvas
from sightline.show.boundaries import Slice
from sightline.show.picture import PictureError, number
from sightline.show.pictures import data_space, decision_boundary, loss_surface, parameter_and_data
from sightline.show.pictures.data_space import DataSpace, chosen_steps
from sightline.show.pictures.loss_surface import LossSurface
from sightline.show.pictures.race import runners
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = ("parameter_and_data", "loss_surface", "race", "decision_boundary", "fitted_line")
HOLD = 1.5  # seconds that the last frame stays
MOST = 400  # frames
Update = Callable[[float], None]


def animate(
    *sources: Any,
    path: str | os.PathLike[str],
    data: Any = None,
    picture: str = "parameter_and_data",
    columns: Sequence[str | int] | None = None,
    frames: int = 48,
    fps: float = 12.0,
    dpi: float = 100.0,
    theme: str | Theme | None = None,
) -> Path:
    """Write a picture in motion, step by step to the end of the training; the path.

    sources, data, columns : what that picture takes; several sources for a race.
    path : ends in .gif (through matplotlib's Pillow writer) or .html (one file with its frames and a player: play,
        step, slider; nothing is loaded from elsewhere).
    picture : 'parameter_and_data', 'loss_surface', 'race', 'decision_boundary' or 'fitted_line'.
    frames : how many, at most 400, by equal ratios of the step number; fewer where there are fewer steps.
    fps : frames a second.  dpi : pixels an inch of pictures six inches wide.

    Raises
    ------
    PictureError : another picture, no steps.  ValueError : another ending.  OSError : the file cannot be written.
    """
    place = Path(path)
    if place.suffix.lower() not in (".gif", ".html"):
        raise ValueError(f"{place.name!r} does not say which format: it must end in .gif or .html.")
    if not 2 <= frames <= MOST or not fps > 0:
        raise ValueError(f"frames={frames}, fps={fps}; frames must be 2 to {MOST} and fps positive.")
    paths = trajectories(sources, data)
    if not all(p.finite for p in paths):
        raise PictureError("an animation needs the steps of a training, and there are none.")
    if picture == "race":
        paths = runners(paths)
    elif len(paths) > 1:
        raise PictureError(f"{picture} shows one training; for {len(paths)} of them use picture='race'.")
    ax, update = scene(picture, paths, columns, theme)
    longest = max(paths, key=lambda p: p.clock[1][p.finite - 1])
    times = [longest.clock[1][i] for i in chosen_steps(longest, frames)]
    figure: Any = ax.figure
    update(times[-1])
    canvas.png(figure)  # lays the figure out once; it then stands still
    figure.set_layout_engine("none")
    if place.suffix.lower() == ".gif":
        _gif(figure, update, times, place, fps, dpi)
    else:
        _html(ax, update, times, place, fps, dpi, longest.clock[0])
    return place


def scene(
    picture: str, paths: Sequence[Trajectory], columns: Sequence[str | int] | None, theme: str | Theme | None
) -> tuple[Axes, Update]:
    """A drawn figure and what moves it to a time of the clock."""
    if picture in ("loss_surface", "race"):
        surface = LossSurface.of(paths)
        ax = loss_surface.draw(surface, None, theme, paths=False)
        look = canvas.prepared(ax, theme)[1]
        ax.grid(False)
        move = _moving_paths(ax, look, surface)
        return ax, _titled(ax, paths, move)
    if picture == "parameter_and_data":
        both = parameter_and_data.ParameterAndData.of(paths[0], columns, [paths[0].finite - 1])
        left, right, look = parameter_and_data.two_axes(None, theme)
        loss_surface.draw_surface(left, look, both.surface, bar=False)
        goal = loss_surface.draw_goal(left, look, both.surface)
        handles = decision_boundary.draw_rows(right, look, both.space)
        handles += decision_boundary.draw_goals(right, look, both.space) or goal
        parameter_and_data.finish(left, right, look, both, handles, True)
        one, two = _moving_paths(left, look, both.surface), _moving_lines(right, look, paths[0], columns, 1.05)

        def move_both(time: float) -> None:
            one(time)
            two(time)

        return left, _titled(left, paths, move_both)
    if picture in ("decision_boundary", "fitted_line"):
        space = DataSpace.of(paths[0], columns, [])
        if (space.form == "curve") != (picture == "fitted_line"):
            raise PictureError(
                f"{picture} does not fit this problem; use the other of decision_boundary and fitted_line."
            )
        ax, look = canvas.prepared(None, theme)
        handles = decision_boundary.draw_rows(ax, look, space) + decision_boundary.draw_goals(ax, look, space)
        canvas.label(ax, look, space.x_name, space.y_name)
        canvas.entitle(ax, look, space)
        canvas.legend(ax, look, handles)
        return ax, _titled(ax, paths, _moving_lines(ax, look, paths[0], columns, data_space.RATIO))
    raise PictureError(f"picture={picture!r} does not move; choose one of {', '.join(PICTURES)}.")


def _titled(ax: Axes, paths: Sequence[Trajectory], move: Update) -> Update:
    """The movement, with the time and the height above the optimum in the title."""
    unit, lowest = paths[0].clock[0], paths[0].lowest
    where = "optimum" if paths[0].optimum.weights is not None else "infimum"

    def update(time: float) -> None:
        move(time)
        words = f"{unit[0].upper()}{unit[1:]} {number(time, 4)}"
        if len(paths) == 1:
            height = paths[0].values[_upto(paths[0], time)] - lowest
            words += f": {number(max(height, 0.0))} above the {where}"
        ax.sightline_heading.set_text(words)  # type: ignore[attr-defined]

    return update


def _upto(path: Trajectory, time: float) -> int:
    """The last finite step that was taken by then."""
    clock = path.clock[1][: path.finite]
    return max((i for i, t in enumerate(clock) if t <= time + 1e-12), default=0)


def _moving_paths(ax: Axes, look: Theme, surface: LossSurface) -> Update:
    lines, heads = [], []
    several = len(surface.paths) > 1
    from sightline.show.themes import DASHES, MARKERS

    for i, path in enumerate(surface.paths):
        color = look.series[i % 6] if several else look.ink
        style: dict[str, Any] = {"color": color, "path_effects": canvas.outlined(look, 3.2)}
        style |= {"scalex": False, "scaley": False}
        lines += ax.plot([], [], linewidth=1.6, linestyle=DASHES[i % 6], zorder=5, label=path.label, **style)
        heads += ax.plot([], [], linestyle="none", marker=MARKERS[i % 6], markersize=8, zorder=8, **style)
    if several:
        canvas.legend(ax, look, [*lines, *ax.lines[:1]] if surface.optimum else lines, columns=2)

    def update(time: float) -> None:
        for path, line, head in zip(surface.paths, lines, heads, strict=True):
            n = sum(t <= time + 1e-12 for t in path.clock)
            n = max(1, min(n, path.inside + 1))
            line.set_data(path.x[:n], path.y[:n])
            head.set_data(path.x[n - 1 : n], path.y[n - 1 : n])

    return update


def _moving_lines(ax: Axes, look: Theme, path: Trajectory, columns: Sequence[str | int] | None, ratio: float) -> Update:
    trail = chosen_steps(path)
    space = DataSpace.of(path, columns, trail, ratio)
    drawn: list[Any] = []

    def draw(pieces: list[Any], color: Any, width: float) -> None:
        for piece in pieces:
            xs, ys = zip(*piece, strict=True)
            drawn.extend(ax.plot(xs, ys, color=color, linewidth=width, zorder=4, scalex=False, scaley=False))

    part = Slice.of(path.objective, columns)
    reach = data_space.reach_of(space)

    def update(time: float) -> None:
        while drawn:
            drawn.pop().remove()
        for line in space.lines:
            if line.clock < time:
                draw(line.pieces, look.faint, 1.2)
        now = path.weights[_upto(path, time)]
        draw(data_space.pieces(path.objective, part, space.form, now, reach), look.series[0], 2.4)

    return update


def _gif(figure: Any, update: Update, times: Sequence[float], place: Path, fps: float, dpi: float) -> None:
    from matplotlib.animation import PillowWriter

    writer = PillowWriter(fps=fps)  # type: ignore[arg-type] # a float is a number of frames too
    with writer.saving(figure, str(place), dpi):
        for time in [*times, *[times[-1]] * round(HOLD * fps)]:
            update(time)
            writer.grab_frame(facecolor=figure.get_facecolor())


def _html(ax: Any, update: Update, times: Sequence[float], place: Path, fps: float, dpi: float, unit: str) -> None:
    from PIL import Image

    figure, images = ax.figure, []
    for time in times:
        update(time)
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=dpi, format="png", facecolor=figure.get_facecolor())
        small = io.BytesIO()
        Image.open(buffer).convert("RGB").quantize(96, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        images.append(base64.b64encode(small.getvalue()).decode())
    told = escape(ax.sightline_alternative, quote=True)
    page = ax.figure.get_facecolor()
    background = "#" + "".join(f"{round(255 * c):02x}" for c in page[:3])
    ink = "#e9ebee" if sum(page[:3]) < 1.5 else "#1a1e24"
    frames = ",".join(f'"{image}"' for image in images)
    labels = ",".join(f'"{unit} {number(time, 6)}"' for time in times)
    place.write_text(
        PAGE.replace("{alt}", told).replace("{page}", background).replace("{ink}", ink).replace("{first}", images[0])
        .replace("{last}", str(len(images) - 1)).replace("{wait}", f"{1000 / fps:.0f}").replace("{labels}", labels)
        .replace("{frames}", frames),
        encoding="utf-8",
    )  # fmt: skip


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sightline: a training step by step</title>
<style>
body{margin:0;background:{page};color:{ink};font:15px system-ui,sans-serif}
main{max-width:760px;margin:auto;padding:16px}img{width:100%;height:auto;display:block}
p{display:flex;gap:10px;align-items:center;margin:10px 0}input{flex:1}
button{font:inherit;color:inherit;background:none;border:1px solid;border-radius:4px;padding:4px 12px}
output{min-width:9em;text-align:right;font-variant-numeric:tabular-nums}
</style>
<main><img id="frame" alt="{alt}" src="data:image/png;base64,{first}">
<p><button id="play">Play</button><button id="step">Step</button>
<input id="place" type="range" min="0" max="{last}" value="0" aria-label="Step of the training">
<output id="when"></output></p>
</main>
<script>
const frames=[{frames}],labels=[{labels}],last=frames.length-1;
const get=id=>document.getElementById(id),image=get("frame"),play=get("play"),place=get("place"),when=get("when");
let at=0,timer=null;
function show(k){at=Math.max(0,Math.min(last,k));image.src="data:image/png;base64,"+frames[at];
place.value=at;when.textContent=labels[at]}
function stop(){clearInterval(timer);timer=null;play.textContent="Play"}
play.onclick=()=>{if(timer){stop();return}if(at===last)show(0);play.textContent="Pause";
timer=setInterval(()=>{show(at+1);if(at===last)stop()},{wait})};
get("step").onclick=()=>{stop();show(at===last?0:at+1)};place.oninput=()=>{stop();show(+place.value)};show(last);
</script></html>
"""
