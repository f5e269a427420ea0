"""The pictures of a checked training: those of ``sl.show`` that its numbers allow, each in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.check.drawn import Drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sightline.show.trajectories import Trajectory

MOST_BYTES = 240_000  # of all pictures of a page together
DPI = (150, 120, 96)  # of a picture: the finest with which all fit
MOST_POINTS = 2000  # of a loss curve
WORK = 2_000_000_000  # products of a weight and a cell that evaluating a path may cost
SOLVED = 20_000_000  # products of one evaluation up to which an optimum that is not known is found again
MOST_SCORES = 200_000  # of the rows of a surface that is a slice: larger ones take too long
MOST_WEIGHTS = 1500  # of a Hessian


@dataclass(frozen=True)
class Drawing:
    """A picture for a page.

    title : what is to be seen.  light, dark : ``data:`` addresses of an image for each background.
    alternative : the same for who cannot see it.  width, height : of the image, in pixels of the page.
    """

    title: str
    light: str
    dark: str
    alternative: str
    width: int
    height: int


def pictures(source: Any, most_bytes: int = MOST_BYTES) -> tuple[list[Drawing], list[str]]:
    """The pictures that can be drawn, most telling first, and why others are not there, as sentences.

    source : ``Drawn``, or whatever ``sl.show.trajectory`` takes: the result of ``sl.train``, a ``Trajectory``.
    most_bytes : what they may weigh together; pictures that would go beyond are left out, and said to be.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return [], ["Pictures need matplotlib: pip install 'sightline[plot]'."]
    drawn: list[tuple[str, dict[str, Axes]]] = []
    notes: list[str] = []
    for name, data, draw in _asked(source, notes):
        try:
            numbers = data()
            drawn.append((name, {theme: draw(numbers, theme=theme) for theme in ("light", "dark")}))
        except (ValueError, ArithmeticError, RuntimeError) as reason:  # PictureError, and what diverged weights do
            notes.append(f"No picture of the {name}: {str(reason).rstrip('.')}.")
    found: list[Drawing] = []
    for dpi in DPI:
        found = [_in_both(axes, dpi) for _, axes in drawn]
        if sum(map(_size, found)) <= most_bytes:
            return found, notes
    while sum(map(_size, found)) > most_bytes:
        found.pop()
        notes.append(f"The picture of the {drawn[len(found)][0]} is left out, to keep the page small.")
    return found, notes


# The data of a picture, computed once, and how it is drawn in a theme.
Data = Callable[[], Any]
Draw = Callable[..., "Axes"]
Possible = tuple[str, Data, Draw]


def _asked(source: Any, notes: list[str]) -> list[Possible]:
    """The pictures to try: their names, their data, their drawing."""
    if source is None:
        return []
    if isinstance(source, Drawn):
        path = trajectory_of(source, notes)
        if path is None:
            return [("loss", lambda: source, loss_curve)] if len(source.losses) else []
        return possible(path)
    from sightline.show.trajectories import trajectory

    return possible(trajectory(source))


def possible(path: Trajectory) -> list[Possible]:
    """The pictures of a training whose problem is known, in the order of the page."""
    from sightline.show.pictures import curvature, decision_boundary, gap, loss_surface, norm_and_direction
    from sightline.show.pictures.data_space import DataSpace
    from sightline.show.plane import free_weights

    objective = path.objective
    classes = objective.loss.targets in ("binary", "classes")
    moving = len(path) > 1
    found: list[Possible] = []
    if len(path):
        found.append(("gap", lambda: gap.Gap.of([path]), gap.draw))
    if objective.p <= (2 if classes else 1):
        name = "decision boundary" if classes else "fitted line"
        found.append((name, lambda: DataSpace.of(path), decision_boundary.draw))
    weights = len(free_weights(objective))
    if moving and (weights == 2 or (weights > 2 and objective.n * (objective.outputs or 1) <= MOST_SCORES)):
        found.append(("loss surface", lambda: loss_surface.LossSurface.of([path]), loss_surface.draw))
    small = objective.n * objective.p <= SOLVED  # else the widest margin takes too long
    if moving and small and path.optimum.weights is None and path.optimum.margin is not None:
        direction = norm_and_direction
        found.append(("norm and direction", lambda: direction.NormAndDirection.of([path]), direction.draw))
    if moving and path.rate is not None and objective.loss.smooth and weights <= MOST_WEIGHTS:
        found.append(("curvature", lambda: curvature.Curvature.of(path), curvature.draw))
    return found


def trajectory_of(drawn: Drawn, notes: list[str] | None = None) -> Trajectory | None:
    """The training as ``sl.show`` takes it; None where its problem or its path is not known, and ``notes`` says why a
    problem that is known cannot be drawn."""
    if not drawn.loss or drawn.X is None or drawn.y is None or drawn.path is None or not len(drawn.path):
        return None
    import torch

    from sightline.data import DataError
    from sightline.show.optimum import Optimum
    from sightline.show.picture import PictureError
    from sightline.show.trajectories import Trajectory

    try:
        objective = _objective(drawn)
        zeros = objective.zeros()
        rows = torch.as_tensor(drawn.path, dtype=torch.float64)
        if rows.shape[1] != len(zeros.flat()):
            raise PictureError(f"a step has {rows.shape[1]} weights, the problem {len(zeros.flat())}")
        cost = objective.n * (objective.outputs or 1) * (objective.p + 1)
        known = None
        if drawn.best is not None and drawn.certificate is not None:
            best = torch.as_tensor(drawn.best, dtype=torch.float64)
            known = Optimum.of(objective, zeros.unflat(best), drawn.certificate)
        elif cost > SOLVED:
            return None
        keep = _few(len(rows), max(24, min(1000, WORK // cost)))
        return Trajectory(
            drawn.label, objective, [zeros.unflat(rows[k]) for k in keep],
            [int(drawn.path_steps[k]) for k in keep],
            None if drawn.epochs is None else [float(drawn.epochs[k]) for k in keep],
            rate=drawn.rate, batch=drawn.batch, optimizer=drawn.optimizer, factor=drawn.factor,
            known_optimum=known,
        )  # fmt: skip
    except (DataError, PictureError, ValueError) as reason:
        if notes is not None:
            notes.append(f"The problem cannot be drawn: {str(reason).rstrip('.')}.")
        return None


def _objective(drawn: Drawn) -> Any:
    """The convex problem of the numbers."""
    from sightline.data import make_data
    from sightline.losses import as_loss
    from sightline.penalties import Penalty
    from sightline.recipes.objective import RecipeObjective

    loss = as_loss(drawn.loss)
    data = make_data(drawn.X, drawn.y, loss, columns=drawn.columns)
    penalty = Penalty(l1=drawn.l1, l2=drawn.l2)
    return RecipeObjective(data, loss, penalty, drawn.intercept, bias_strength=drawn.bias_l2)


def _few(steps: int, most: int) -> list[int]:
    """Which steps of a long training are drawn: by equal ratios, the first and last among them."""
    if steps <= most:
        return list(range(steps))
    places = {round((steps - 1) ** (k / (most - 2))) for k in range(most - 1)}
    return sorted({0, steps - 1, *(min(k, steps - 1) for k in places)})


def loss_curve(drawn: Drawn, ax: Axes | None = None, theme: str | None = None) -> Axes:
    """The loss as the script counted it, step by step, with the optimum where it is known: for a training whose problem
    cannot be drawn."""
    from sightline.show import canvas
    from sightline.show.picture import Picture, number

    ax, look = canvas.prepared(ax, theme)
    everything = [(int(s), float(v)) for s, v in zip(drawn.steps, drawn.losses, strict=True)]
    finite = _thinned([(s, v) for s, v in everything if math.isfinite(v)])
    places, heights = [s for s, _ in finite], [v for _, v in finite]
    (line,) = ax.plot(
        places, heights, color=look.series[0], linewidth=1.0 if drawn.batches else 1.8, label=drawn.label or "loss",
        marker="o" if len(finite) < 2 else None,
    )  # fmt: skip
    handles = [line]
    last = float(drawn.losses[-1])
    best = drawn.optimum
    where = "infimum" if drawn.no_minimum else "optimum"
    spread = [v for v in (*heights, best) if v is not None]
    if spread and min(spread) > 0 and max(spread) > 30 * min(spread):
        ax.set_yscale("log")
    if best is not None and math.isfinite(best):
        ax.axhline(best, color=look.ink, linewidth=1.4, linestyle=(0, (5, 2)))
        canvas.star(ax, look, [places[-1] if places else 0], [best], clip_on=False)
        handles.append(canvas.line_with_star(look, (0, (5, 2)), 1.4))
        handles[-1].set_label(where)
    if ax.get_yscale() == "log":
        canvas.plain_log(ax.yaxis)
    if not math.isfinite(last):
        title = "The loss stops being a number"
    elif best is not None and last > best:
        title = f"The loss ends at {number(last, 4)}, {number(last - best, 3)} above the {where}"
    else:
        title = f"The loss ends at {number(last, 4)}"
    subtitle = (f"{drawn.label}. " if drawn.label else "") + (
        "Each point is the loss of one batch." if drawn.batches else "As the script counted it."
    )
    (first, _), (end, _) = everything[0], everything[-1]
    told = f"The loss at {len(everything):,} steps from {first:,} to {end:,}. {title}. {subtitle}"
    if best is not None:
        told += f" The {where} is {number(best, 4)}."
    canvas.label(ax, look, "step", "loss")
    canvas.entitle(ax, look, Picture(title=title, subtitle=subtitle, alternative=told))
    canvas.legend(ax, look, handles)
    return ax


def _thinned(pairs: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Few enough points for a picture: of each stretch the lowest and the highest."""
    if len(pairs) <= MOST_POINTS:
        return list(pairs)
    size = math.ceil(2 * len(pairs) / MOST_POINTS)
    found = []
    for at in range(0, len(pairs), size):
        stretch = pairs[at : at + size]
        found += sorted({min(stretch, key=lambda p: (p[1], p[0])), max(stretch, key=lambda p: (p[1], p[0]))})
    return sorted({pairs[0], *found, pairs[-1]})


def _in_both(axes: dict[str, Axes], dpi: float) -> Drawing:
    """A picture in both themes."""
    from sightline.show.saving import alt_text, small_address

    light = axes["light"]
    figure: Any = light.figure
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    title = getattr(light, "sightline_title", "")
    images = [small_address(axes[theme], dpi) for theme in ("light", "dark")]
    return Drawing(title, images[0], images[1], alt_text(light), width, height)


def _size(drawing: Drawing) -> int:
    """Bytes of a picture on the page."""
    return len(drawing.light) + len(drawing.dark)
