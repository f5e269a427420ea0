"""Optimizers racing on one surface: why is mine slow?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from sightline.show.picture import PictureError
from sightline.show.pictures.loss_surface import LossSurface, draw
from sightline.show.themes import Theme
from sightline.show.trajectories import Trajectory, trajectories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6


def race(*sources: Any, data: Any = None, ax: Axes | None = None, theme: str | Theme | None = None) -> Axes:
    """Several trainings of the same model and rows on one loss surface, that of the first, with the optimum.

    sources : two to six of what ``sl.show.trajectory`` takes, or one mapping from name to each.  data, ax, theme : as
        ``loss_surface``.

    Raises
    ------
    PictureError : more than six, or trainings on other rows.
    """
    return draw(LossSurface.of(runners(trajectories(sources, data))), ax, theme)


def runners(paths: Sequence[Trajectory]) -> list[Trajectory]:
    """The paths, checked to be of one model and the same rows, with different labels."""
    if len(paths) > MOST:
        raise PictureError(
            f"{len(paths)} trainings are too many for one picture to be told apart; give at most {MOST}."
        )
    first = paths[0].objective
    for other in paths[1:]:
        same = other.objective is first or (
            other.objective.data.design.n == first.data.design.n
            and other.objective.p == first.p
            and other.objective.outputs == first.outputs
            and type(other.objective.loss) is type(first.loss)
            and torch.equal(other.objective.data.y, first.data.y)
        )
        if not same:
            raise PictureError(
                f"{other.label or 'the second training'} is of other rows or another model than"
                f" {paths[0].label or 'the first'}: a race needs one surface."
            )
    seen: dict[str, int] = {}
    found = []
    for i, path in enumerate(paths):
        name = path.label or f"training {i + 1}"
        seen[name] = seen.get(name, 0) + 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        found.append(replace(path, label=label, factor=paths[0].factor))
    return found
