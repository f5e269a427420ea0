"""The loss as a function of the score, with the data's scores on it: is this the right loss?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sightline.losses import Loss, as_loss
from sightline.objective import Objective
from sightline.show import canvas
from sightline.show.picture import Picture, PictureError, number
from sightline.show.themes import DASHES, Theme
from sightline.show.trajectories import Trajectory, trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Function = Callable[[Tensor, Tensor], Any]
POINTS = 241
BINS = 40
MOST = 4  # losses in one picture
TALLEST = 0.28  # share of the height that the scores' histogram takes


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One loss for one target: y over the picture's scores x.  ``target`` : whose ('1', '0', 'residual', ...)."""

    loss: str
    target: str
    x: list[float]
    y: list[float | None]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores of the rows of one target at the trained weights (and the optimum's): rows in each bin."""

    target: str
    trained: list[int]
    optimum: list[int] | None


@dataclass(frozen=True, kw_only=True)
class LossOfScore(Picture):
    """Losses as functions of the score, and the rows' scores.

    edges : of the bins of ``scores``.  targets : in order; one for a regression.  falls_for_ever : names of the losses
    that have no lower bound.
    """

    kind = "loss_of_score"
    curves: list[Curve]
    scores: list[Scores]
    edges: list[float]
    targets: list[str]
    x_name: str
    falls_for_ever: list[str]

    @classmethod
    def of(
        cls, path: Trajectory, losses: Mapping[str, str | Loss | Function] | Sequence[str | Loss] | None = None
    ) -> LossOfScore:
        """The loss of a training's problem, and ``losses`` to compare."""
        objective = path.objective
        given = _named(objective, losses)
        best = path.optimum.weights
        own = path.last() if len(path) else best
        if own is None:
            raise PictureError("loss_of_score needs weights, for the rows' scores: give a training.")
        places, targets, x_name = _places(objective, objective.scores(own).cpu())
        goal = None if best is None else _places(objective, objective.scores(best).cpu())[0]
        low, high = _range([v for part in (places, goal or []) for v in part])
        x = torch.linspace(low, high, POINTS, dtype=torch.float64)
        edges = np.linspace(low, high, BINS + 1)
        curves, falls = [], []
        for name, loss in given.items():
            for k, target in enumerate(targets):
                scale = path.factor if loss is objective.loss else 1.0
                y = [scale * v for v in _loss_at(objective, loss, k, x)]
                curves.append(
                    Curve(loss=name, target=target, x=x.tolist(), y=[v if math.isfinite(v) else None for v in y])
                )
                # A convex loss that still falls far beyond the data never stops.
                far = _loss_at(objective, loss, k, torch.tensor([-1e6, -1e5, 0.0, 1e5, 1e6], dtype=torch.float64))
                if (far[0] < far[1] - 1 or far[4] < far[3] - 1) and name not in falls:
                    falls.append(name)

        def binned(values: np.ndarray) -> list[int]:
            found: list[int] = np.histogram(np.clip(values, low, high), bins=edges)[0].tolist()
            return found

        scores = [
            Scores(target=t, trained=binned(places[k]), optimum=None if goal is None else binned(goal[k]))
            for k, t in enumerate(targets)
        ]
        return cls(
            curves=curves, scores=scores, edges=edges.tolist(), targets=targets, x_name=x_name, falls_for_ever=falls,
            **_words(path, objective, list(given), falls, places),
        )  # fmt: skip


def _named(objective: Objective, losses: Any) -> dict[str, Any]:
    """The losses to draw by name, the problem's own first."""
    given: dict[str, Any] = {}
    if losses is None:
        losses = []
    if not isinstance(losses, Mapping):
        losses = {
            str(as_loss(loss)).replace("_", " "): loss
            for loss in ([losses] if isinstance(losses, str | Loss) else losses)
        }
    given[str(objective.loss).replace("_", " ")] = objective.loss
    for name, loss in losses.items():
        given[name] = as_loss(loss) if isinstance(loss, str | Loss) else loss
    if len(given) > MOST:
        raise PictureError(
            f"{len(given)} losses are too many for one picture to be told apart; give at most {MOST - 1} more."
        )
    for name, loss in given.items():
        if isinstance(loss, Loss) and loss.targets != objective.loss.targets:
            raise PictureError(
                f"the {name} loss takes other targets than the {objective.loss} loss: they share no picture."
            )
    return given


def _places(objective: Objective, z: Tensor) -> tuple[list[np.ndarray], list[str], str]:
    """Where the rows lie on the x axis, by target; the targets' names; what x is."""
    y, data, loss = objective.data.y.cpu(), objective.data, objective.loss
    if loss.targets == "binary" and not getattr(loss, "soft", False):
        names = [str(c) for c in data.classes or (-1, 1)]
        return [z[y < 0].numpy(), z[y > 0].numpy()], [f"class {n}" for n in names], "score x·w + b"
    if loss.targets == "classes":
        own = z.gather(1, y[:, None])[:, 0]
        others = z.scatter(1, y[:, None], -math.inf)
        return [(own - others.logsumexp(1)).numpy()], ["own class"], "score of the own class above the others'"
    if loss.targets == "real" and z.ndim == 1:
        return [(z - y).numpy()], ["all rows"], "score minus target"
    if loss.targets == "counts":
        rows = y > 0
        return [(z[rows] - y[rows].log()).numpy()], ["counts above zero"], "score minus log count"
    raise PictureError(
        f"loss_of_score does not draw the {loss} loss with {'soft labels' if z.ndim == 1 else 'several targets'}."
    )


def _loss_at(objective: Objective, loss: Any, k: int, x: Tensor) -> list[float]:
    """A loss over scores (or what the x axis is) for the k-th target."""
    kind = objective.loss.targets
    if not isinstance(loss, Loss):
        labels = objective.data.classes if kind == "binary" else None
        numbers = labels is not None and all(isinstance(c, int | float) for c in labels)
        target = float(labels[k]) if labels is not None and numbers else float(2 * k - 1) if kind == "binary" else 0.0
        with torch.no_grad():
            out = torch.as_tensor(loss(x.clone(), torch.full_like(x, target)))
        if out.shape != x.shape:
            raise PictureError(
                f"a loss to be drawn takes scores ({len(x)},) and targets ({len(x)},) and returns the loss of each"
                f" ({len(x)},); it returned shape {tuple(out.shape)} (leave out its mean: reduction='none')."
            )
        return [float(v) for v in out.double()]
    if kind == "binary":
        return loss.value(x, torch.full_like(x, 2.0 * k - 1)).tolist()
    if kind == "classes":
        return torch.nn.functional.softplus(-x).tolist()
    if kind == "counts":
        return (torch.expm1(x) - x).tolist()  # of one count: y (exp(d) - 1 - d)
    return loss.value(x, torch.zeros_like(x)).tolist()


def _range(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """Where most scores are, with zero and room for the kinks of the losses in view."""
    everything = np.concatenate([v for v in values if len(v)]) if any(len(v) for v in values) else np.zeros(1)
    everything = everything[np.isfinite(everything)]
    low, high = np.quantile(everything, [0.005, 0.995]) if len(everything) else (0.0, 0.0)
    low, high = min(float(low), -2.0), max(float(high), 2.0)
    room = 0.06 * (high - low)
    return low - room, high + room


def _words(
    path: Trajectory, objective: Objective, names: list[str], falls: list[str], places: list[np.ndarray]
) -> dict[str, str]:
    parts = [f"{path.label}."] if path.label else []
    if falls:
        title = f"{falls[0][0].upper()}{falls[0][1:]} falls for ever: it has no minimum"
    elif len(names) > 1:
        title = f"{names[0][0].upper()}{names[0][1:]} loss beside {', '.join(names[1:])}"
    else:
        title = f"The {names[0]} loss over the rows' scores"
    if len(places) == 2:
        wrong = float(np.mean(np.concatenate([places[0] > 0, places[1] <= 0])))
        parts.append(f"Bars: the rows' scores; {number(100 * wrong, 3)} % of the rows are on the wrong side of zero.")
    else:
        parts.append("Bars: the rows; outlined, at the optimum.")
    subtitle = " ".join(parts)
    told = f"Loss as a function of the score: {', '.join(names)}. {title}. {subtitle}"
    return {"title": title, "subtitle": subtitle, "alternative": told}


def loss_of_score(
    source: Any,
    data: Any = None,
    *,
    losses: Mapping[str, str | Loss | Function] | Sequence[str | Loss] | None = None,
    ax: Axes | None = None,
    theme: str | Theme | None = None,
) -> Axes:
    """The loss of one row as a function of its score, for each class, with the scores that the rows have: filled at
    the trained weights, outlined at the optimum's.

    source, data, ax, theme : as ``loss_surface``.
    losses : more losses to lay beside it: names (('hinge', 'squared_hinge')), or a mapping from what they are called to
        a name, a ``Loss``, or a function of (scores (n,), targets (n,)) that returns the loss of each row. Such a
        function is given the class labels where they are numbers, else −1 and 1; for a regression the target 0.

    Raises
    ------
    PictureError : no weights, losses of other targets, or a function that returns something else.
    """
    return draw(LossOfScore.of(trajectory(source, data), losses), ax, theme)


def draw(picture: LossOfScore, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Draw the curves, and the scores as bars at the foot."""
    ax, look = canvas.prepared(ax, theme)
    names = list(dict.fromkeys(c.loss for c in picture.curves))
    two = len(picture.targets) == 2
    handles: list[Any] = []
    own = [v for c in picture.curves if c.loss == names[0] for v in c.y if v is not None]
    others = [v for c in picture.curves for v in c.y if v is not None]
    top = max(own) if max(own) > 0 else max(others)
    low = min(0.0, max(min(others), -0.8 * top))  # below it stand the bars
    for curve in picture.curves:
        i, k = names.index(curve.loss), picture.targets.index(curve.target)
        color = (look.low, look.high)[k] if two else look.series[i]
        y = [np.nan if v is None or v < low else v for v in curve.y]
        words = curve.loss + (f", {curve.target}" if two else "")
        handles += ax.plot(curve.x, y, color=color, linestyle=DASHES[i], linewidth=2.0, label=words, zorder=4)
    foot = low - TALLEST / (1 - TALLEST) * (1.05 * top - low) - 0.04 * top
    ax.set_ylim(foot, 1.05 * top)
    ax.set_xlim(picture.edges[0], picture.edges[-1])
    ax.axvline(0, color=look.soft, linewidth=1, zorder=1)
    ax.axhline(low, color=look.soft, linewidth=0.8, zorder=1)
    handles += _bars(ax, look, picture, foot, (low - foot) * 0.92)
    ax.set_yticks([t for t in ax.get_yticks() if low <= t <= 1.05 * top])
    canvas.label(ax, look, picture.x_name, "loss of a row")
    canvas.entitle(ax, look, picture)
    canvas.legend(ax, look, handles, columns=2 if two else 3)
    return ax


def _bars(ax: Axes, look: Theme, picture: LossOfScore, foot: float, height: float) -> list[Any]:
    two = len(picture.targets) == 2
    tallest = max([max([*s.trained, *(s.optimum or [0])], default=1) for s in picture.scores] + [1])
    edges = np.asarray(picture.edges)
    handles: list[Any] = []
    for k, s in enumerate(picture.scores):
        color = (look.low, look.high)[k] if two else look.soft
        counts = np.asarray(s.trained) / tallest * height
        ax.stairs(foot + counts, edges, baseline=foot, fill=True, color=color, alpha=0.45, zorder=2)
        if s.optimum is not None:
            ax.stairs(
                foot + np.asarray(s.optimum) / tallest * height,
                edges,
                baseline=foot,
                color=color,
                linewidth=1.2,
                zorder=3,
            )
        handles.append(canvas.patch(look, f"rows, {s.target}", 0.45, color))
    if any(s.optimum is not None for s in picture.scores):
        from matplotlib.lines import Line2D

        handles.append(Line2D([], [], color=look.soft, linewidth=1.2, drawstyle="steps", label="rows at the optimum"))
    return handles
