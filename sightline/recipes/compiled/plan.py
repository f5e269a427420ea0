"""A training translated for the compiled loop: which parameters, which loss, which optimizer, which rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.recipes.compiled import optimizers
from sightline.recipes.compiled.errors import NotCompiled
from sightline.recipes.compiled.linear import Scores, scores_of
from sightline.recipes.compiled.loop import Loop
from sightline.recipes.compiled.losses import Slopes, slopes_of
from sightline.recipes.compiled.order import Order, order_of
from sightline.recipes.loop import Job

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Plan:
    """What the compiled loop needs of a training.

    X : (n, p), contiguous.  y : as ``Loop`` takes it.
    """

    scores: Scores
    slopes: Slopes
    order: Order
    X: Tensor
    y: Tensor

    def loop(self, optimizer: torch.optim.Optimizer) -> Loop:
        """The loop on copies of the parameters and of the optimizer's state, from where they are now.

        Raises
        ------
        NoLibrary : there is no compiled loop on this machine.
        """
        scores = self.scores
        bias = scores.bias
        return Loop(
            self.X, self.y, scores.matrix(self.X.shape[1]), None if bias is None else bias.detach().reshape(-1).clone(),
            self.slopes, _settings(optimizer, scores.weight, scores.turned), _settings(optimizer, bias, False),
        )  # fmt: skip

    def groups(self, optimizer: torch.optim.Optimizer) -> tuple[int, int]:
        """The numbers of the parameter groups of weight and bias; 0 for one that is not trained."""
        return tuple(optimizers.group_number(optimizer, p) for p in (self.scores.weight, self.scores.bias))  # type: ignore[return-value]

    def deliver(self, loop: Loop, optimizer: torch.optim.Optimizer) -> None:
        """Write the loop's weights into the module and its state into the optimizer."""
        self.scores.put(loop.weight, loop.bias)
        if loop.weight_settings is not None:
            optimizers.write_back(optimizer, self.scores.weight, loop.weight_settings, self.scores.turned)
        if loop.bias_settings is not None and self.scores.bias is not None:
            optimizers.write_back(optimizer, self.scores.bias, loop.bias_settings, False)


def plan_of(job: Job, slopes: Slopes | None = None) -> Plan:
    """Translate a training; ``slopes`` are the loss's, where they are known.

    Raises
    ------
    NotCompiled : it holds something that the compiled loop cannot do.
    """
    if job.callback is not None:
        raise NotCompiled(
            "engine='compiled' takes thousands of steps between two looks at Python, so it calls no callback. Leave"
            " callback out, or use engine='exact'."
        )
    if job.keeper is not None:
        raise NotCompiled("engine='compiled' writes no checkpoints. Leave checkpoint out, or use engine='exact'.")
    optimizers.check(job.optimizer)
    module = job.module
    _check_tensors(module)
    order = order_of(job.batches)
    dtype = next(module.parameters()).dtype
    if order.X.device.type != "cpu" or order.X.dtype != dtype:
        raise NotCompiled(
            f"engine='compiled' needs X on the CPU in the module's dtype: X is {order.X.dtype} on {order.X.device}, the"
            f" module {dtype}. Convert X, or use engine='exact'."
        )
    scores = scores_of(module, order.X)
    if slopes is None:
        slopes = slopes_of(job.loss, scores, order.y, dtype)
    X = order.X.detach().reshape(len(order.X), -1).contiguous()
    return Plan(scores, slopes, order, X, slopes.targets(order.y.detach(), dtype))


def _check_tensors(module: nn.Module) -> None:
    """No parameter off the CPU, in another precision, or watched; no module watched."""
    for name, parameter in module.named_parameters():
        if parameter.device.type != "cpu" or parameter.dtype not in DTYPES:
            raise NotCompiled(
                f"engine='compiled' trains float32 and float64 on the CPU: {name} is {parameter.dtype} on"
                f" {parameter.device}. Use engine='exact'."
            )
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            raise NotCompiled(f"engine='compiled' runs no hooks, but {name} has one. Use engine='exact'.")
    for part in module.modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks:
            raise NotCompiled(
                f"engine='compiled' runs no hooks, but {type(part).__name__} has one. Use engine='exact'."
            )


def _settings(
    optimizer: torch.optim.Optimizer, parameter: nn.Parameter | None, turned: bool
) -> optimizers.Settings | None:
    if parameter is None or not parameter.requires_grad or optimizers.group_number(optimizer, parameter, -1) < 0:
        return None
    return optimizers.settings_of(optimizer, parameter, turned)
