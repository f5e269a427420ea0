"""The rows that a training was given, batch by batch, until nothing new comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sightline.check.watching.operations import size_of

MOST_BYTES = 256 * 2**20
MOST_BATCHES = 100_000
EPOCHS = 3  # rows are looked at until each has come about this often
HASHED_ROWS = 1024  # of larger batches a hash of the whole is taken for one row
LARGE = 2**20  # bytes from which a tensor is compared with the last copy before it is copied


@dataclass(slots=True)
class _Last:
    """The newest tensor in one place, and the copy that stands for it."""

    tensor: Tensor  # held, so that neither its id nor its memory become another's
    version: int
    copy: Tensor


class Batches:
    """The inputs of the programs of one training, in the order of its backward passes.

    entries : one list of tensors a backward pass, in the order of the program's inputs; tensors that are the same,
    unchanged, share one copy.  full : no more are taken, since rows repeat or memory is spent, which ``spent`` says.
    """

    def __init__(self) -> None:
        self.entries: list[list[Tensor]] = []
        self.full = self.spent = False
        self._last: list[_Last] = []
        self._bytes = 0
        self._rows = 0
        self._unique: set[int] = set()
        self._new = 0
        self._fresh = False

    @property
    def nbytes(self) -> int:
        """Bytes of the copies."""
        return self._bytes

    def copies(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Copies of the inputs of one backward pass; one that was there before, unchanged, is not copied again."""
        kept = []
        self._fresh = False
        for i, tensor in enumerate(inputs):
            last = self._last[i] if i < len(self._last) else None
            if last is not None and _same(last, tensor):
                kept.append(last.copy)
                last.tensor, last.version = tensor, tensor._version
                continue
            copy = tensor.detach().clone()
            self._bytes += size_of(copy)
            kept.append(copy)
            self._fresh = True
            if last is None:
                self._last.append(_Last(tensor, tensor._version, copy))
            else:
                last.tensor, last.version, last.copy = tensor, tensor._version, copy
        del self._last[len(inputs) :]
        return kept

    def take(self, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        """Keep the inputs of one backward pass, unless no more are wanted; the copies."""
        if self.full:
            return None
        kept = self.copies(inputs)
        self.entries.append(kept)
        if self._fresh:
            self._count(kept)
        else:
            self._rows += max([int(t.shape[0]) if t.ndim else 1 for t in kept], default=1)
        if self._bytes > MOST_BYTES or len(self.entries) >= MOST_BATCHES:
            self.full = self.spent = True
        elif self._rows > EPOCHS * len(self._unique) + 2000 and self._rows - self._new > len(self._unique):
            self.full = True
        if self.full:
            self._unique = set()
        return kept

    def _count(self, kept: Sequence[Tensor]) -> None:
        if not kept:
            return
        widest = kept[0]
        for tensor in kept:
            if tensor.numel() > widest.numel():
                widest = tensor
        array = _array(widest)
        rows = int(widest.shape[0]) if widest.ndim else 0
        if 0 < rows <= HASHED_ROWS and array.size:
            parts = array.reshape(rows, -1).view(f"V{array.nbytes // rows}").ravel().tolist()
            hashes = set(map(hash, parts))
            self._rows += rows
        else:
            hashes = {hash(array.tobytes())}
            self._rows += 1
        before = len(self._unique)
        self._unique |= hashes
        if len(self._unique) > before:
            self._new = self._rows


def _array(values: Tensor) -> np.ndarray:
    """The numbers of a copy as a contiguous array."""
    if values.layout is not torch.strided:
        values = values.to_dense()
    if values.is_quantized or values.dtype is torch.bfloat16:
        values = values.float()
    return np.ascontiguousarray(values.resolve_conj().resolve_neg().cpu().numpy())


def _same(last: _Last, tensor: Tensor) -> bool:
    """Whether a tensor holds what the copy holds, told without comparing numbers unless it is large."""
    if last.copy.shape != tensor.shape or last.copy.dtype != tensor.dtype:
        return False
    if last.version == tensor._version:
        if last.tensor is tensor:
            return True
        try:
            if last.tensor.data_ptr() == tensor.data_ptr() and last.tensor.stride() == tensor.stride():
                # Another view of the same numbers. NumPy may have written to them: looked at where that is cheap.
                return size_of(tensor) > LARGE or torch.equal(last.copy, tensor.detach())
        except RuntimeError:  # no plain memory: sparse, for instance
            return False
    # The second look costs less than a copy that is held for ever.
    return size_of(tensor) > LARGE and tensor.layout is torch.strided and torch.equal(last.copy, tensor.detach())
