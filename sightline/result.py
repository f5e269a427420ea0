"""Result: what a fit gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
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

    def scores(self, X: Any, offset: Any = None) -> Tensor:
        """X W' + b + offset, float64 on the device of X: (n,) for one output, (n, K) for K.

        X : (n, p) tensor, array, SciPy sparse matrix, or frame, whose columns are matched by name where the model has
            names.  offset : (n,), or None for none.

        Raises
        ------
        DataError : columns that do not match the model's (named), NaN or infinity (column and row), text.
        """
        from sightline.data import DataError
        from sightline.rows import as_rows

        design = as_rows(X, self.weight.shape[1], self.columns)
        weight, bias = (t.double().to(design.device) for t in (self.weight, self.bias))
        z: Tensor = design.scores(weight.T) + bias
        if offset is not None:
            shift = torch.as_tensor(offset, dtype=torch.float64, device=z.device)
            if shift.shape not in ((), z.shape[:1]) or not bool(torch.isfinite(shift).all()):
                raise DataError(f"offset has shape {tuple(shift.shape)}; it must be ({len(z)},), finite numbers.")
            z = z + shift.reshape(-1, 1)
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: Any, offset: Any = None) -> Any:
        """What the model says of each row of X (see ``scores`` for X, offset and errors).

        Classification: labels (n,), a NumPy array of the classes' own type; the binary boundary belongs to the first
        class.  Poisson: rates exp(z), (n,).  Other regression: scores, (n,) or (n, K).  Tensors float64 on the device
        of X.
        """
        z = self.scores(X, offset)
        if self.classes is not None:
            import numpy as np

            index = (z > 0).long() if z.ndim == 1 else z.argmax(1)
            return np.asarray(self.classes)[index.cpu().numpy()]
        return z.exp() if self.loss.name == "poisson" else z

    def predict_proba(self, X: Any, offset: Any = None) -> Tensor:
        """Probabilities of the classes in their order, (n, K), float64; K = 2 for the logistic loss.

        Raises
        ------
        ValueError : the loss gives no probabilities.  DataError : as ``scores``.
        """
        if self.loss.name not in ("logistic", "softmax"):
            raise ValueError(f"the {self.loss} loss does not give probabilities; use scores() or predict().")
        z = self.scores(X, offset)
        if z.ndim == 1:
            return torch.stack([torch.sigmoid(-z), torch.sigmoid(z)], 1)
        return torch.softmax(z, 1)

    def certify(self, X: Any, y: Any, **options: Any) -> Certificate:
        """The certificate of these weights on other data (or the same): ``sl.certify`` with this model's problem.

        ``options`` are those of ``sl.certify``; loss, penalty and intercept are the model's where they are not given.
        """
        from sightline.certifying import certify

        return certify(self, X, y, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a safetensors file, whole or not at all, with a checksum; ``sl.load`` reads it.

        Raises
        ------
        ModelFileError : the file cannot be written; what was there is unchanged.
        """
        from sightline.model_file import save

        save(self, path)

    def __str__(self) -> str:
        """The table: coefficients, metrics where the data are known, and the certificate in words."""
        from sightline.terminal import text

        return text(self)

    def report(
        self, path: str | os.PathLike[str], X: Any = None, y: Any = None, *, sample_weight: Any = None,
        offset: Any = None,
    ) -> Path:
        """Write the report, one page of HTML that needs nothing else; the path.

        X, y, sample_weight, offset : the rows that the model was fitted on, for standard errors, metrics and pictures;
            a model that ``sightline fit`` saved has those with it.

        Raises
        ------
        ValueError : the page cannot be written, or X comes without y.  DataError : the rows do not fit the model.
        """
        from sightline.report import report

        return report(self, path, X, y, sample_weight=sample_weight, offset=offset)

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
