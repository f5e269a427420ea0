"""Pictures of trainings: where they went, where the optimum is, and what lies between.

Every picture has two halves. Its *data* is a frozen dataclass of plain numbers and lists (``sightline.show.pictures``,
``as_dict()``), computed from a training and its problem without matplotlib; the page draws the same. Its *drawing* is
``sl.show.<name>(what it needs, ..., ax=None, theme=None) -> Axes``. Nothing here changes matplotlib's global state, and
the certified optimum is drawn in every picture of a problem that has one.
"""

from __future__ import annotations

import importlib
from typing import Any

# Name -> module; imported when first asked for. No module of this folder may bear the name of a function in it.
_WHERE = {
    "loss_surface": "pictures.loss_surface", "loss_surface_3d": "pictures.loss_surface_3d", "race": "pictures.race",
    "decision_boundary": "pictures.decision_boundary", "fitted_line": "pictures.decision_boundary",
    "gap": "pictures.gap", "norm_and_direction": "pictures.norm_and_direction",
    "coefficients": "pictures.coefficients", "curvature": "pictures.curvature",
    "gradient_noise": "pictures.gradient_noise", "loss_of_score": "pictures.loss_of_score",
    "probabilities": "pictures.probabilities", "calibration": "pictures.probabilities",
    "precision_recall": "pictures.probabilities",
    "parameter_and_data": "pictures.parameter_and_data", "frontier": "pictures.frontier",
    "animate": "animation",
    "save": "saving", "alt_text": "saving",
    "theme": "themes", "Theme": "themes",
    "Trajectory": "trajectories", "trajectory": "trajectories",
    "PictureError": "picture",
    "report": "page",
}  # fmt: skip

__all__ = [*_WHERE]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'sightline.show' has no picture {name!r}; there are {', '.join(_WHERE)}")
    value = getattr(importlib.import_module(f"sightline.show.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
