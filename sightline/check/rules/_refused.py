"""What ``binary_cross_entropy`` refused: values outside [0, 1], and by which calls they were made."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sightline.check.evidence import Evidence

DEEP = 6  # calls back from the refused value that are looked at
PASSED = ("Squeeze", "Unsqueeze", "View", "Reshape", "Select", "Alias", "Clone", "ToCopy", "Permute", "T", "Transpose")


def arguments(evidence: Evidence) -> tuple[Tensor, Tensor] | None:
    """(input, target) of the ``binary_cross_entropy`` that raised the script's error."""
    failure = evidence.failure
    if failure is None or failure.name != "binary_cross_entropy":
        return None
    given = failure.args[0] if failure.args else failure.kwargs.get("input")
    target = failure.args[1] if len(failure.args) > 1 else failure.kwargs.get("target")
    if not isinstance(given, Tensor) or not isinstance(target, Tensor):
        return None
    return given, target


def refused_by_bce(evidence: Evidence) -> Tensor | None:
    """The input, where it is for its values outside [0, 1] that it was refused; None elsewhere."""
    found = arguments(evidence)
    if found is None:
        return None
    given = found[0]
    if not given.requires_grad or not bool(torch.isfinite(given).all()):
        return None
    return given if bool((given < 0).any()) or bool((given > 1).any()) else None


def made_by(given: Tensor, *parts: str) -> bool:
    """Whether the call that made a value, those that merely reshape it aside, has one of these parts in its name."""
    step: Any = given.grad_fn
    for _ in range(DEEP):
        if step is None:
            return False
        name = type(step).__name__
        if not any(name.startswith(passed + "Backward") for passed in PASSED):
            return any(part in name for part in parts)
        step = step.next_functions[0][0] if step.next_functions else None
    return False
