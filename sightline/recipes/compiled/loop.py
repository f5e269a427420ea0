"""The compiled loop on one training: tensors in, the C structs of ``types.c`` around them, steps out."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.recipes.compiled import library
from sightline.recipes.compiled.losses import Slopes
from sightline.recipes.compiled.optimizers import Settings

_int, _double, _pointer = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


class _Parameter(ctypes.Structure):
    _fields_ = [
        ("size", _int), ("trained", _int), ("value", _pointer), ("before", _pointer), ("gradient", _pointer),
        ("state", _pointer * 3), ("decay", _double), ("number", _double * 3), ("nesterov", _int), ("maximize", _int),
        ("amsgrad", _int), ("decoupled", _int), ("centered", _int), ("count", _int),
    ]  # fmt: skip


class _Training(ctypes.Structure):
    _fields_ = [
        ("x", _pointer), ("y", _pointer), ("label", _pointer), ("columns", _int), ("outputs", _int), ("loss", _int),
        ("optimizer", _int), ("mean", _int), ("scale", _double), ("shape", _double), ("margin", _double),
        ("tie", _double), ("weight", _Parameter), ("bias", _Parameter), ("score", _pointer), ("slope", _pointer),
        ("loss_now", _double), ("steps", _int),
    ]  # fmt: skip


class _Record(ctypes.Structure):
    _fields_ = [
        ("step", _pointer), ("count", _int), ("weight", _pointer), ("bias", _pointer), ("loss", _pointer),
        ("seconds", _pointer),
    ]  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What was recorded of some steps of one call, in their order.

    weight, bias : after the step, (m, K, p) and (m, K) or (m, 0), in the training's dtype.
    batch_loss : of the step's batch at the weights before it, (m,) float64.
    seconds : since the call, (m,) float64.
    """

    weight: Tensor
    bias: Tensor
    batch_loss: Tensor
    seconds: Tensor


@dataclass
class Loop:
    """One training in the form that the compiled loop takes.

    X : (n, p), contiguous, float32 or float64, on the CPU.  y : (n, K) of the same dtype, or (n,) int64 labels.
    weight, bias : (K, p) and (K,) or None, contiguous, of X's dtype; changed in place.
    weight_settings, bias_settings : the optimizer's numbers and state for each; None for one that is not trained.
    """

    X: Tensor
    y: Tensor
    weight: Tensor
    bias: Tensor | None
    slopes: Slopes
    weight_settings: Settings | None
    bias_settings: Settings | None
    _alive: list[Tensor] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._function = getattr(library.load(self.X.dtype), library.SYMBOL)
        outputs, columns = self.weight.shape
        settings = self.weight_settings or self.bias_settings
        assert settings is not None
        of_class = self.y.dtype == torch.int64
        self._training = _Training(
            x=self.X.data_ptr(), y=None if of_class else self.y.data_ptr(), columns=columns, outputs=outputs,
            label=self.y.data_ptr() if of_class else None, loss=self.slopes.number, optimizer=settings.optimizer,
            mean=self.slopes.mean, scale=self.slopes.scale, shape=self.slopes.shape, margin=self.slopes.margin,
            tie=self.slopes.tie,
            weight=self._parameter(self.weight, self.weight_settings),
            bias=_Parameter() if self.bias is None else self._parameter(self.bias, self.bias_settings),
            score=self._buffer(outputs, self.X.dtype), slope=self._buffer(outputs, self.X.dtype),
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """Steps done since this loop was made."""
        return int(self._training.steps)

    @property
    def loss_now(self) -> float:
        """Loss of the last batch, where the loop had a reason to compute it, as it has before it stops; else 0."""
        return float(self._training.loss_now)

    def _buffer(self, size: int, dtype: torch.dtype) -> int:
        self._alive.append(torch.zeros(max(size, 1), dtype=dtype))
        return self._alive[-1].data_ptr()

    def _parameter(self, value: Tensor, settings: Settings | None) -> _Parameter:
        size, dtype = value.numel(), value.dtype
        common: dict[str, Any] = {
            "size": size, "trained": settings is not None, "value": value.data_ptr(),
            "before": self._buffer(size, dtype), "gradient": self._buffer(size, torch.float64),
        }  # fmt: skip
        if settings is None:
            return _Parameter(**common)
        return _Parameter(
            **common, state=(_pointer * 3)(*(s.data_ptr() for s in settings.state)), decay=settings.decay,
            number=(_double * 3)(*settings.numbers), count=settings.count,
            **{name: int(name in settings.switches) for name in
               ("nesterov", "maximize", "amsgrad", "decoupled", "centered")},
        )  # fmt: skip

    def run(self, rows: np.ndarray, ends: np.ndarray, rates: np.ndarray, keep: Sequence[int]) -> tuple[int, Kept]:
        """Take steps; the number done and what was kept.

        rows : row numbers in the order of their use, int64.  ends : where each step's batch ends in it, (s,) int64.
        rates : learning rate of weight and bias at each step, (s, 2) float64, or (1, 2) for all.
        keep : which of these steps to record, rising, from 0.

        A step whose loss, or whose weights afterwards, are not finite is not done, and ends the run.
        """
        assert rows.dtype == ends.dtype == np.int64 and rates.dtype == np.float64 and rates.shape[1] == 2
        assert len(rates) in (1, len(ends))
        assert rows.flags.c_contiguous and ends.flags.c_contiguous and rates.flags.c_contiguous
        steps = np.ascontiguousarray(keep, dtype=np.int64)
        m = len(steps)
        kept = Kept(
            torch.empty(m, *self.weight.shape, dtype=self.X.dtype),
            torch.empty(m, 0 if self.bias is None else len(self.bias), dtype=self.X.dtype),
            *(torch.empty(m, dtype=torch.float64) for _ in range(2)),
        )
        record = _Record(
            step=steps.ctypes.data, count=m, weight=kept.weight.data_ptr(), bias=kept.bias.data_ptr(),
            loss=kept.batch_loss.data_ptr(), seconds=kept.seconds.data_ptr(),
        )  # fmt: skip
        done = int(
            self._function(
                ctypes.byref(self._training), _pointer(rows.ctypes.data), _pointer(ends.ctypes.data), _int(len(ends)),
                _pointer(rates.ctypes.data), _int(len(rates) == 1), ctypes.byref(record),
            )
        )  # fmt: skip
        for settings, own in ((self.weight_settings, self._training.weight), (self.bias_settings, self._training.bias)):
            if settings is not None:
                settings.count = own.count
        if done == len(ends):
            return done, kept
        m = int(np.searchsorted(steps, done))
        return done, Kept(kept.weight[:m], kept.bias[:m], kept.batch_loss[:m], kept.seconds[:m])
