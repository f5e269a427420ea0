"""The random numbers that a training draws from: where they stand, and back to there."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from sightline.recipes.batches import Batches


def random_state(batches: Batches) -> dict[str, Any]:
    """PyTorch's (on every device), Python's and NumPy's global generators, and those of the batches."""
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - the global one is what data sets draw from
        "own": [generator.get_state() for generator in batches.generators],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(batches: Batches, state: dict[str, Any]) -> None:
    """Put all of them where they stood."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    for generator, own in zip(batches.generators, state["own"]):
        generator.set_state(own)
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])
