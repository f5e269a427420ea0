"""What recorded parameters are worth on all data."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sightline.affine import quiet
from sightline.recipes.linear import LinearMap, put
from sightline.recipes.minimised import Minimised
from sightline.recipes.recognised import LossFunction
from sightline.recipes.trace import State


@dataclass
class LinearJudge:
    """For a linear module whose convex problem is known: in float64, from the weights alone."""

    linear: LinearMap
    minimised: Minimised

    def weights(self, state: State) -> Any:
        """``Weights`` of the objective."""
        return self.linear.weights(state, self.minimised.difference)

    def judge(self, state: State) -> tuple[float, float, float]:
        """Objective, the recipe's own loss, norm of the objective's gradient."""
        now = self.minimised.objective.evaluate(self.weights(state), keep_rows=False)
        return now.value, self.minimised.in_own_units(now.loss), float(now.gradient.flat().norm())

    def lower_bound(self) -> float:
        """Of the objective."""
        return self.minimised.lower_bound


@dataclass
class ModuleJudge:
    """For any module: its own loss on all rows at once, in evaluation mode, on a copy."""

    copy: nn.Module | None
    function: LossFunction
    X: Tensor
    y: Tensor
    linear: LinearMap | None

    def weights(self, state: State) -> Any:
        """``Weights`` where the module is linear, else its tensors by name."""
        if self.linear is not None:
            return self.linear.weights(state)
        names = [] if self.copy is None else [
            *(n for n, _ in self.copy.named_parameters()), *(n for n, _ in self.copy.named_buffers())
        ]  # fmt: skip
        return dict(zip(names, state))

    def judge(self, state: State) -> tuple[float, float, float]:
        """The loss twice, and the norm of its gradient in the parameters."""
        if self.copy is None:
            return math.nan, math.nan, math.nan
        put(self.copy, state)
        with quiet(self.copy), torch.enable_grad():
            loss = self.function(self.copy(self.X), self.y)
            trained = [p for p in self.copy.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(loss, trained, allow_unused=True)
        squares = [float(g.double().square().sum()) for g in gradients if g is not None]
        return loss.item(), loss.item(), math.sqrt(sum(squares))

    def lower_bound(self) -> float:
        """None is known."""
        return math.nan


@dataclass
class LateJudge:
    """Any judge, made when it is first asked for something."""

    make: Callable[[], Any]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as the judge itself."""
        return _itself, (self.make(),)

    def weights(self, state: State) -> Any:
        """As the judge says."""
        return self.make().weights(state)

    def judge(self, state: State) -> tuple[float, float, float]:
        """As the judge says."""
        found: tuple[float, float, float] = self.make().judge(state)
        return found

    def lower_bound(self) -> float:
        """As the judge says."""
        return float(self.make().lower_bound())


def _itself(judge: Any) -> Any:
    return judge
