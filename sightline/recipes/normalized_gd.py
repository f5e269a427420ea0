"""Normalised gradient descent, plain or with dual acceleration: to the maximum margin in few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class NormalizedGD(torch.optim.Optimizer):
    """Steps of constant length against the gradient of all parameters together.

    On separable classes the gradient fades with the loss, so that plain gradient descent turns towards the maximum
    margin like 1/log t; steps that do not fade turn like 1/t, and with dual acceleration like 1/t².

    params : tensors.  lr : step length.
    by : 'gradient' divides by the gradient's norm (Nacson et al. 2019, "Convergence of gradient descent on separable
        data"); 'loss' by the loss, which needs a closure (Ji & Telgarsky 2021, "Characterizing the implicit bias via a
        primal-dual analysis"): in a recipe, ``closure=True``.
    accelerated : with the momentum m ← t/(t+1) (m + g), w ← w - lr (m + g) (Ji, Srebro & Telgarsky 2021, "Fast margin
        maximization via dual acceleration").

    In float32 a score beyond about 17 has a logistic gradient of exactly zero (36 in float64); nothing moves from there
    on.

    Raises
    ------
    ValueError : ``lr`` is not positive, ``by`` is another word, or ``by='loss'`` and no closure.
    """

    def __init__(self, params: Any, lr: float = 0.5, by: str = "gradient", accelerated: bool = False) -> None:
        if not lr > 0:
            raise ValueError(f"lr={lr!r}; it must be a positive number.")
        if by not in ("gradient", "loss"):
            raise ValueError(f"by={by!r}; choose 'gradient' or 'loss'.")
        super().__init__(params, {"lr": lr, "by": by, "accelerated": accelerated})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; returns the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moved = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            return loss
        norm = _norm([p.grad for p in moved])
        for group in self.param_groups:
            if group["by"] == "loss":
                if loss is None:
                    raise ValueError(
                        "by='loss' needs the loss: call step(closure), or give the recipe closure=True; or use"
                        " by='gradient'."
                    )
                size = torch.as_tensor(loss).detach().double()
            else:
                size = norm
            if not bool(size > 0) or not bool(norm > 0):
                continue  # the loss is zero to rounding: no direction is left in it
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = (p.grad.double() / size.to(p.device)).to(p.dtype)
                if group["accelerated"]:
                    state = self.state[p]
                    t = state.get("step", 0)
                    momentum = state.get("momentum", torch.zeros_like(p))
                    state["momentum"] = (momentum + g) * (t / (t + 1))
                    state["step"] = t + 1
                    g = state["momentum"] + g
                p -= group["lr"] * g
        return loss


def _norm(gradients: list[Tensor]) -> Tensor:
    """Norm of all of them together, float64, for gradients however small."""
    top = torch.stack([g.abs().max().double().cpu() for g in gradients]).max()
    if not bool(top > 0) or not bool(torch.isfinite(top)):
        return top
    total = torch.stack([(g.double().cpu() / top).square().sum() for g in gradients]).sum()
    return top * total.sqrt()
