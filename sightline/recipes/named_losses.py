"""Losses as a training takes them: a callable of (outputs, y)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sightline.losses import Huber, Loss, Quantile, as_loss


def as_loss_function(loss: str | Loss | Callable[[Any, Any], Any]) -> Callable[[Any, Any], Tensor]:
    """A torch loss or callable as it is; a Sightline loss, or its name, as a function of torch's.

    Binary targets may be 0/1 or -1/+1.

    Raises
    ------
    ValueError : no such name, or not callable.
    """
    if isinstance(loss, str | Loss):
        return _of_ours(as_loss(loss))
    if isinstance(loss, type):
        raise ValueError(f"loss={loss.__name__} is a class; make one: loss={loss.__name__}().")
    if not callable(loss):
        raise ValueError(f"loss={loss!r} is not callable; give a torch loss, a function of (outputs, y), or a name.")
    return loss


def _sign(z: Tensor, y: Tensor) -> Tensor:
    """0/1 or -1/+1 as -1/+1."""
    return torch.where(y > 0, 1.0, -1.0).to(z.dtype)


def _of_ours(loss: Loss) -> Callable[[Tensor, Tensor], Tensor]:
    name = loss.name
    if name == "softmax":
        return F.cross_entropy
    if name == "poisson":
        return F.poisson_nll_loss
    if isinstance(loss, Huber):
        delta = loss.delta
        return lambda z, y: F.huber_loss(z, y, delta=delta)
    if isinstance(loss, Quantile):
        q = loss.quantile
        return lambda z, y: torch.maximum(q * (y - z), (q - 1) * (y - z)).mean()
    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "squared": lambda z, y: 0.5 * F.mse_loss(z, y),
        "logistic": lambda z, y: F.softplus(-_sign(z, y) * z, threshold=40.0).mean(),
        "hinge": lambda z, y: F.relu(1 - _sign(z, y) * z).mean(),
        "squared_hinge": lambda z, y: F.relu(1 - _sign(z, y) * z).square().mean(),
    }
    return functions[name]
