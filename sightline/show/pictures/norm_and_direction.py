"""Norm against direction of the weights: growing for ever, or learning?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sightline.objective import Weights
from sightline.show import canvas
from sightline.show.boundaries import has_ones
from sightline.show.picture import Picture, PictureError, number
from sightline.show.pictures.loss_surface import dots_of, passed
from sightline.show.pictures.race import runners
from sightline.show.themes import DASHES, MARKERS, Theme
from sightline.show.trajectories import Trajectory, trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAME = 1.0  # degrees from the goal below which the direction of gradient descent has no line of its own


@dataclass(frozen=True, kw_only=True)
class Turning:
    """One training: norm of its weights and degrees between them and the goal, at ``clock``."""

    label: str
    norm: list[float]
    degrees: list[float]
    clock: list[float]


@dataclass(frozen=True, kw_only=True)
class NormAndDirection(Picture):
    """Length and direction of the weight vector along trainings.

    vector : 'w', or '(w, b)' where there is one column only.  goal : 'optimum' or 'widest margin', at zero degrees.
    goal_norm : the optimum's; None where the weights grow for ever.  heading : degrees between the goal and where
    gradient descent on a separable problem is heading, None where that is the same or there is an optimum.
    """

    kind = "norm_and_direction"
    turnings: list[Turning]
    vector: str
    goal: str
    goal_norm: float | None
    heading: float | None
    unit: str

    @classmethod
    def of(cls, paths: Sequence[Trajectory]) -> NormAndDirection:
        """Norms and directions of some trainings of one model."""
        first = paths[0]
        best = first.optimum
        aim = best.weights if best.weights is not None else best.margin
        if aim is None:
            raise PictureError(
                "norm_and_direction needs a direction to compare with: the problem has neither an optimum nor two"
                " classes that a plane parts."
            )
        if not all(p.finite for p in paths):
            raise PictureError("norm_and_direction needs the steps of a training, and there are none.")
        one = first.objective.p - int(has_ones(first.objective)) == 1 and first.objective.outputs is None
        whole = one and (first.objective.intercept or has_ones(first.objective))
        if whole is False and one:
            raise PictureError("a single weight has a sign but no direction; sl.show.gap shows its training.")

        def part(w: Weights) -> Tensor:
            flat = w.coef.reshape(-1).cpu()
            if has_ones(first.objective):
                return flat if whole else flat[:-1]
            return torch.cat([flat, w.intercept.reshape(-1).cpu()]) if whole else flat

        goal = part(aim)
        turnings = []
        for path in paths:
            vectors = [part(w) for w in path.weights[: path.finite]]
            kept = [i for i, v in enumerate(vectors) if float(v.norm()) > 0]
            turnings.append(
                Turning(
                    label=path.label, norm=[float(vectors[i].norm()) for i in kept],
                    degrees=[degrees(vectors[i], goal) for i in kept], clock=[path.clock[1][i] for i in kept],
                )
            )  # fmt: skip
        if not any(t.norm for t in turnings):
            raise PictureError("norm_and_direction needs weights that are not all zero.")
        exists = best.weights is not None
        plain = (
            not exists and first.objective.penalty.none and any(p.optimizer in ("sgd", "vanilla", "") for p in paths)
        )
        turn = degrees(part(best.heading), goal) if plain and best.heading is not None else 0.0
        name = "optimum" if exists else "widest margin"
        return cls(
            turnings=turnings, vector="(w, b)" if whole else "w", goal=name,
            goal_norm=float(goal.norm()) if exists else None, heading=turn if turn > SAME else None,
            unit=first.clock[0],
            **_words(paths, turnings, name, exists, turn),
        )  # fmt: skip


def degrees(u: Tensor, v: Tensor) -> float:
    """Angle between two vectors in degrees, accurate for small and large ones (Kahan 2006, "How futile are mindless
    assessments of roundoff", section 12)."""
    a, b = u / u.norm(), v / v.norm()
    return math.degrees(2 * math.atan2(float((a - b).norm()), float((a + b).norm())))


def _words(
    paths: Sequence[Trajectory], turnings: list[Turning], name: str, exists: bool, turn: float
) -> dict[str, str]:
    ends = [
        f"{t.label or 'the training'}: {_where(t, name)} {passed(p)}".strip()
        for p, t in zip(paths, turnings, strict=True) if t.norm
    ]  # fmt: skip
    t = turnings[0]
    if len(turnings) == 1:
        title = f"{_where(t, name)} {passed(paths[0])}".strip().capitalize()
    else:
        nearest = min((t for t in turnings if t.norm), key=lambda t: t.degrees[-1])
        title = f"{nearest.label} points best: {number(nearest.degrees[-1])}° from the {name}"
    parts = [f"{t.label}."] if len(turnings) == 1 and t.label else []
    if exists:
        parts.append("Growing moves a dot to the right, learning moves it down, to the star.")
    else:
        parts.append("There is no optimum: the norm may grow for ever; only the direction can settle.")
    if turn > SAME:
        parts.append(f"Gradient descent heads {number(turn)}° away.")
    subtitle = " ".join(parts)
    told = f"Norm of the weights across, their angle to the {name} up. {'. '.join(ends)}. {subtitle}"
    return {"title": title, "subtitle": subtitle, "alternative": told}


def _where(t: Turning, name: str) -> str:
    return f"norm {number(t.norm[-1])}, {number(t.degrees[-1])}° from the {name}"


def norm_and_direction(
    *sources: Any, data: Any = None, ax: Axes | None = None, theme: str | Theme | None = None
) -> Axes:
    """Length of the weights against their direction, step by step: weights that only grow move to the right, weights
    that learn move down to the optimum's direction. Where the classes are separable the norm grows for ever and the
    direction is compared with that of the widest margin; a dotted line is where gradient descent is heading.

    sources, data, ax, theme : as ``gap``.

    The vector is w, and (w, b) for a model of one column, whose w has a sign but no direction.

    Raises
    ------
    PictureError : no steps, or a model of a single weight.
    """
    return draw(NormAndDirection.of(runners(trajectories(sources, data))), ax, theme)


def draw(picture: NormAndDirection, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the paths in the plane of norm and angle."""
    ax, look = canvas.prepared(ax, theme)
    handles: list[Any] = []
    several = len(picture.turnings) > 1
    norms = [n for t in picture.turnings for n in t.norm] + ([picture.goal_norm] if picture.goal_norm else [])
    wide = max(norms) > 30 * min(norms)
    if wide:
        ax.set_xscale("log")
    for i, t in enumerate(picture.turnings):
        if not t.norm:
            continue
        color = look.series[i % 6]
        (line,) = ax.plot(
            t.norm, t.degrees, color=color, linestyle=DASHES[i % 6], linewidth=1.6, marker=MARKERS[i % 6], markersize=4,
            markevery=dots_of(len(t.norm)), label=t.label or "training", path_effects=canvas.outlined(look), zorder=5,
        )  # fmt: skip
        handles.append(line)
        if not several:
            handles += _ends(ax, look, t, color, picture.unit)
    ax.axhline(0, color=look.ink, linewidth=1.2, linestyle=(0, (5, 2)), zorder=2)
    top = max(d for t in picture.turnings for d in t.degrees)
    top = max(top, 1.1 * (picture.heading or 0.0)) or 1.0
    ax.set_ylim(-0.06 * top, 1.08 * top)
    if picture.heading is not None:
        handles += [
            ax.axhline(
                picture.heading, color=look.alarm, linewidth=1.6, linestyle=(0, (1, 1)),
                label="where gradient descent is heading", zorder=2,
            )
        ]  # fmt: skip
    if picture.goal_norm is not None:
        handles.append(canvas.star(ax, look, [picture.goal_norm], [0.0]))
    else:
        handles.append(
            ax.plot([1.0], [0.0], transform=ax.get_yaxis_transform(), marker=">", markersize=9, color=look.ink,
                    linestyle=(0, (5, 2)), clip_on=False, label="widest margin, norm without end")[0]
        )  # fmt: skip
    if wide:
        canvas.plain_log(ax.xaxis)
    canvas.label(ax, look, f"norm of {picture.vector}", f"angle of {picture.vector} to the {picture.goal} (°)")
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2)
    return ax


def _ends(ax: Axes, look: Theme, t: Turning, color: str, unit: str) -> list[Any]:
    begin = ax.plot(
        t.norm[:1], t.degrees[:1], marker="o", markersize=8, color=look.page, markeredgecolor=color,
        markeredgewidth=1.8, linestyle="none", label=f"{unit} {number(t.clock[0], 4)}", zorder=7,
    )  # fmt: skip
    end = ax.plot(
        t.norm[-1:], t.degrees[-1:], marker="s", markersize=7, color=color, markeredgecolor=look.page, linestyle="none",
        label=f"{unit} {number(t.clock[-1], 6)}", zorder=7,
    )  # fmt: skip
    return [*begin, *end]
