"""The frames of a replay: which steps of a training are shown, and the numbers that belong to each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_FRAMES = 320
MOST_POINTS = 1000  # of the curves of loss
DIGITS = 6  # significant, of every number on the page


@dataclass(frozen=True)
class Frames:
    """The steps that are shown, and the curves of loss, which may have more points than there are frames.

    step, epoch, rate : of each frame: its number, passes over the rows, learning rate.
    at : place of each frame among the points of the curves.
    places, points : of the curves' steps: which of the recorded ones they are, and their numbers.
    batch, loss : the recipe's loss on their batch and on all data.
    gap : objective on all data above what no weights can go below.
    recorded : how many steps there were to choose from.

    None stands for what was not recorded, is not known, or is not finite.
    """

    step: list[int]
    epoch: list[float | None]
    rate: list[float | None]
    at: list[int]
    places: list[int]
    points: list[int]
    batch: list[float | None]
    loss: list[float | None]
    gap: list[float | None]
    recorded: int

    def __len__(self) -> int:
        return len(self.step)

    @property
    def last(self) -> int:
        """Number of the last step."""
        return self.step[-1]

    @property
    def uneven(self) -> bool:
        """Whether early steps lie so much denser than late ones that a logarithmic axis shows them better."""
        return len(self) >= 8 and self.step[len(self) // 2] - self.step[0] < 0.3 * (self.last - self.step[0])

    @property
    def rule(self) -> str:
        """Which steps are shown, in a sentence."""
        if self.last == 0:
            return "The training made no step."
        if len(self) == self.last + 1:
            return f"Every one of the {self.last:,} steps is shown." if self.last > 1 else "The one step is shown."
        shown = f"{len(self) - 1:,} of the {self.last:,} steps are shown"
        if len(self) == self.recorded:
            return f"{shown}: all that were recorded."
        curves = "all that were recorded" if len(self.points) == self.recorded else f"{len(self.points):,} of them"
        return (
            f"{shown}: the first ones all, then fewer and fewer, by distances that grow in equal ratios. The curves of"
            f" loss hold {curves}."
        )

    def as_dict(self) -> dict[str, Any]:
        """What the page draws, a list each."""
        names = ("epoch", "rate", "batch", "loss", "gap")
        return {
            "step": self.step, "at": self.at, "points": self.points,
            **{name: shortened(getattr(self, name)) for name in names},
        }  # fmt: skip


def thinned(steps: Sequence[int], most: int = MOST_FRAMES) -> list[int]:
    """Which places of the rising numbers ``steps`` are shown: all, or where they are more than ``most``, the first, the
    last, and those next to numbers whose distances grow in equal ratios, so that the beginning is shown in full.

    The distances are no round numbers on purpose: those would meet the same batch of every epoch.
    """
    if len(steps) <= most:
        return list(range(len(steps)))
    numbers = np.asarray(steps, dtype=np.float64) - steps[0]
    low, high = 0.0, 1.0  # logarithm of the ratio: the distances are 1, r, r², ... and sum up to the whole
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if np.expm1(middle * (most - 1)) / np.expm1(middle) < numbers[-1] else (low, middle)
    wanted = np.expm1(high * np.arange(most)) / np.expm1(high)
    near = np.minimum(np.searchsorted(numbers, np.round(wanted)), len(steps) - 1)
    return [int(i) for i in np.unique(np.concatenate([near, [0, len(steps) - 1]]))]


def short(value: float | None, digits: int = DIGITS) -> float | int | None:
    """A number of few digits, as JSON can hold it: None for what is not finite."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded


def shortened(values: Sequence[float | None], digits: int = DIGITS) -> list[float | int | None]:
    """``short`` of each."""
    return [short(v, digits) for v in values]
