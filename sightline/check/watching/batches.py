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
LEAST_ROWS, LEAST_SINGLE_ROWS = 2000, 500  # that are looked at beyond that, in batches or one by one
HASHED_ROWS = 1024  # of larger batches a hash of the whole is taken for one row
ONE_ROW = 64  # numbers up to which a vector is taken for one row, as in training sample by sample
LARGE = 2**20  # bytes from which a tensor is compared with the last copy before it is copied


@dataclass(slots=True)
class _Last:
    """The newest tensor in one place, and the copy that stands for it."""

    tensor: Tensor  # held, so that neither its id nor its memory become another's
    version: int
    memory: int
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
        self._least = LEAST_ROWS
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
                last.tensor, last.version, last.memory = tensor, tensor._version, _memory(tensor)
                continue
            copy = tensor.detach().clone()
            self._bytes += size_of(copy)
            kept.append(copy)
            self._fresh = True
            if last is None:
                self._last.append(_Last(tensor, tensor._version, _memory(tensor), copy))
            else:
                last.tensor, last.version, last.memory, last.copy = tensor, tensor._version, _memory(tensor), copy
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
        elif self._rows > EPOCHS * len(self._unique) + self._least and self._rows - self._new > len(self._unique):
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
        if widest.ndim < 2 and widest.numel() <= ONE_ROW:
            hashed = hash(tuple(widest.tolist()) if widest.ndim else widest.item())
            self._rows += 1
            self._least = LEAST_SINGLE_ROWS
            if hashed not in self._unique:
                self._unique.add(hashed)
                self._new = self._rows
            return
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
    try:
        return np.ascontiguousarray(values.numpy())
    except (TypeError, RuntimeError):  # on another device, sparse, of a type that NumPy lacks, conjugated lazily
        if values.layout is not torch.strided:
            values = values.to_dense()
        if values.is_quantized or values.dtype is torch.bfloat16:
            values = values.float()
        return np.ascontiguousarray(values.resolve_conj().resolve_neg().cpu().numpy())


def _same(last: _Last, tensor: Tensor) -> bool:
    """Whether a tensor holds what the copy holds."""
    if last.tensor is tensor:
        return last.version == tensor._version
    copy = last.copy
    large = tensor.numel() * 8 > LARGE
    try:
        another_view = tensor.data_ptr() == last.memory
    except RuntimeError:  # no plain memory: sparse, for instance
        return False
    # NumPy may have written to the same memory, so that numbers are compared where that is cheap; where they are many
    # the comparison costs less than a copy that is held for ever.
    if not (another_view or large) or copy.shape != tensor.shape or copy.dtype != tensor.dtype:
        return False
    if another_view and large and last.version == tensor._version and last.tensor.stride() == tensor.stride():
        return True
    return tensor.layout is torch.strided and torch.equal(copy, tensor.detach())


def _memory(tensor: Tensor) -> int:
    """Where the numbers are; -1 for a tensor without plain memory."""
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return -1
