"""torch.optim's optimizers as the numbers that the compiled loop takes, and their state on the way in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.optimizers import Vanilla

SGD, ADAM, RMSPROP, ADAGRAD, BY_HAND = range(5)
NAMES = "the optimizers SGD, Adam, AdamW, RMSprop and Adagrad"
KINDS: dict[type, int] = {
    torch.optim.SGD: SGD, torch.optim.Adam: ADAM, torch.optim.AdamW: ADAM, torch.optim.RMSprop: RMSPROP,
    torch.optim.Adagrad: ADAGRAD, Vanilla: BY_HAND,
}  # fmt: skip
SWITCHES = ("nesterov", "maximize", "amsgrad", "centered")
# What the loop's three buffers are in the optimizer's state, by kind.
BUFFERS: dict[int, tuple[str, ...]] = {
    SGD: ("momentum_buffer",),
    ADAM: ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    RMSPROP: ("square_avg", "momentum_buffer", "grad_avg"),
    ADAGRAD: ("sum",),
    BY_HAND: (),
}
NUMBERS: dict[int, Callable[[dict[str, Any]], tuple[float, ...]]] = {
    SGD: lambda g: (g["momentum"], g["dampening"], 0.0),
    ADAM: lambda g: (*g["betas"], g["eps"]),
    RMSPROP: lambda g: (g["alpha"], g["momentum"], g["eps"]),
    ADAGRAD: lambda g: (g["lr_decay"], 0.0, g["eps"]),
    BY_HAND: lambda g: (0.0, 0.0, 0.0),
}
FORBIDDEN = ("fused", "capturable", "differentiable")


@dataclass
class Settings:
    """What the optimizer does to one parameter.

    numbers : momentum and dampening; both betas and eps; alpha, momentum and eps; or lr_decay and eps in their places.
    state : three buffers of the parameter's size, in its dtype; those that the optimizer has no use for are empty.
    count : steps that it has taken.
    """

    optimizer: int
    decay: float
    numbers: tuple[float, ...]
    switches: frozenset[str]
    state: list[Tensor] = field(repr=False)
    count: int = 0


def check(optimizer: torch.optim.Optimizer) -> None:
    """See whether the compiled loop can take this optimizer.

    Raises
    ------
    NotCompiled : it cannot.
    """
    name = type(optimizer).__name__
    if type(optimizer) not in KINDS:
        raise _no(f"{name} is none of them")
    for group in optimizer.param_groups:
        for switch in FORBIDDEN:
            if group.get(switch):
                raise _no(f"{name}({switch}=True) computes otherwise than the plain optimizer; leave {switch} out")
        numbers = (group["lr"], group["weight_decay"], *group.get("betas", ()))
        if any(isinstance(value, Tensor) for value in numbers):
            raise _no(f"{name}'s learning rate, weight decay and betas must be numbers, not tensors")
    if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
        raise _no(f"this {name} has step hooks, and the compiled loop calls none")


def _no(what: str) -> NotCompiled:
    return NotCompiled(f"engine='compiled' runs {NAMES}: {what}. Use engine='exact'.")


def settings_of(optimizer: torch.optim.Optimizer, parameter: Tensor, turned: bool) -> Settings:
    """The numbers and the state of one parameter; ``turned`` where the loop has its transpose."""
    kind = KINDS[type(optimizer)]
    group = optimizer.param_groups[group_number(optimizer, parameter)]
    switches = {name for name in SWITCHES if group.get(name)}
    if type(optimizer) is torch.optim.AdamW or group.get("decoupled_weight_decay"):
        switches.add("decoupled")
    state = optimizer.state.get(parameter, {})
    buffers = [_as_loop(state.get(name), parameter, turned) for name in BUFFERS[kind]]
    buffers += [torch.zeros(0, dtype=parameter.dtype)] * (3 - len(buffers))
    count = int(state["step"]) if "step" in state else int(state.get("momentum_buffer") is not None)
    return Settings(kind, float(group["weight_decay"]), NUMBERS[kind](group), frozenset(switches), buffers, count)


def write_back(optimizer: torch.optim.Optimizer, parameter: Tensor, settings: Settings, turned: bool) -> None:
    """Leave the optimizer's state as if it had taken the steps itself."""
    if not settings.count:
        return
    group = optimizer.param_groups[group_number(optimizer, parameter)]
    needed = {
        SGD: (group.get("momentum", 0) != 0,),
        ADAM: (True, True, group.get("amsgrad")),
        RMSPROP: (True, group.get("momentum", 0) > 0, group.get("centered")),
        ADAGRAD: (True,),
        BY_HAND: (),
    }[settings.optimizer]
    if not any(needed):
        return
    state = optimizer.state[parameter]
    for name, buffer, used in zip(BUFFERS[settings.optimizer], settings.state, needed):
        if used:
            shape = tuple(reversed(parameter.shape)) if turned else parameter.shape
            own = buffer.reshape(shape)
            state[name] = (own.T if turned else own).clone(memory_format=torch.contiguous_format)
    if settings.optimizer != SGD:
        state["step"] = torch.tensor(float(settings.count), dtype=_step_dtype())


def group_number(optimizer: torch.optim.Optimizer, parameter: Tensor | None, none: int = 0) -> int:
    """Which parameter group holds the parameter; ``none`` where none does."""
    for number, group in enumerate(optimizer.param_groups):
        if any(p is parameter for p in group["params"]):
            return number
    return none


def _as_loop(buffer: Tensor | None, parameter: Tensor, turned: bool) -> Tensor:
    if buffer is None:
        return torch.zeros(parameter.numel(), dtype=parameter.dtype)
    return (buffer.T if turned else buffer).detach().clone(memory_format=torch.contiguous_format).reshape(-1)


def _step_dtype() -> torch.dtype:
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32
