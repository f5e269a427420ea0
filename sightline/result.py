"""Result: what a fit gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sightline.certificate import Certificate
from sightline.losses import Loss
from sightline.penalties import Penalty
from sightline.trace import Trace


@dataclass(frozen=True)
class Result:
    """A fitted linear model with its certificate.

    weight, bias : (K, p) and (K,), as ``nn.Linear`` holds them (K = 1 for binary and single-target models), in the
        dtype and on the device of the data, in the data's own units.
    certificate : verdict, proven gap and what proves it.
    loss, penalty, fit_intercept : the problem.
    classes : labels by score (binary: the second is the positive one), None for regression.
    columns : names of the p columns, or None.
    solver : which method ran and why it was chosen.
    n_iter : steps taken.  trace : what happened, step by step.
    rows, total_weight : size of the training data.
    extra : JSON-able facts that travel with the model (encoder, metrics, ...).
    """

    weight: Tensor
    bias: Tensor
    certificate: Certificate
    loss: Loss
    penalty: Penalty
    fit_intercept: bool
    classes: tuple[Any, ...] | None
    columns: tuple[str, ...] | None
    solver: str
    n_iter: int
    rows: int
    total_weight: float
    trace: Trace = field(default_factory=Trace, repr=False)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def scores(self, X: Any) -> Tensor:
        """X W' + b: (n,) for one output, (n, K) for K, without offset."""
        from sightline.data import as_rows

        z: Tensor = as_rows(X, self.weight.shape[1], self.columns).scores(self.weight.double().T) + self.bias.double()
        return z[:, 0] if z.shape[1] == 1 else z

    def to_module(self, output: str = "scores") -> nn.Module:
        """A plain ``nn.Linear``; with ``output='probability'`` followed by Sigmoid or Softmax (classification)."""
        outputs, inputs = self.weight.shape
        linear = nn.Linear(inputs, outputs, bias=True, dtype=self.weight.dtype, device=self.weight.device)
        with torch.no_grad():
            linear.weight.copy_(self.weight)
            linear.bias.copy_(self.bias)
        if output == "scores":
            return linear
        if output != "probability":
            raise ValueError(f"output={output!r}; choose 'scores' or 'probability'.")
        if self.loss.name == "logistic":
            return nn.Sequential(linear, nn.Sigmoid())
        if self.loss.name == "softmax":
            return nn.Sequential(linear, nn.Softmax(dim=1))
        raise ValueError(f"the {self.loss} loss does not give probabilities; use output='scores'.")
