"""The rows that a training was given, batch by batch, until nothing new comes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

MOST_BYTES = 256 * 2**20
MOST_BATCHES = 100_000
EPOCHS = 3  # rows are looked at until each has come about this often
HASHED_ROWS = 1024  # of larger batches a hash of the whole is taken for one row


class Batches:
    """The inputs of the programs of one training, in the order of its backward passes.

    entries : one list of tensors a backward pass, in the order of the program's inputs; tensors that are the same object,
    unchanged, share one copy.  full : no more are taken, since rows repeat or memory is spent; ``spent`` says the latter.
    """

    def __init__(self) -> None:
        self.entries: list[list[Tensor]] = []
        self.full = self.spent = False
        self._last: list[tuple[int, int, Tensor]] = []
        self._alive: list[Tensor] = []
        self._bytes = 0
        self._rows = 0
        self._unique: set[int] = set()
        self._new = 0

    def take(self, inputs: Sequence[Tensor]) -> None:
        """Keep the inputs of one backward pass."""
        if self.full:
            return
        kept, fresh = [], False
        for i, tensor in enumerate(inputs):
            last = self._last[i] if i < len(self._last) else None
            if last is not None and last[0] == id(tensor) and last[1] == tensor._version:
                kept.append(last[2])
                continue
            copy = tensor.detach().clone()
            self._bytes += copy.numel() * copy.element_size()
            kept.append(copy)
            fresh = True
        # The originals are held for one pass, so that an id is not another tensor's.
        self._alive = list(inputs)
        self._last = [(id(t), t._version, copy) for t, copy in zip(inputs, kept)]
        self.entries.append(kept)
        if fresh:
            self._count(kept)
        else:
            self._rows += max((int(t.shape[0]) if t.ndim else 1 for t in kept), default=1)
        if self._bytes > MOST_BYTES or len(self.entries) >= MOST_BATCHES:
            self.full = self.spent = True
        elif self._rows > EPOCHS * len(self._unique) + 2000 and self._rows - self._new > len(self._unique):
            self.full = True

    def _count(self, kept: Sequence[Tensor]) -> None:
        widest = max(kept, key=lambda t: t.numel(), default=None)
        if widest is None:
            return
        values = widest.to_dense() if widest.layout != 0 and widest.is_sparse else widest
        try:
            array = values.cpu().contiguous().numpy()
        except TypeError:  # bfloat16
            array = values.cpu().float().contiguous().numpy()
        if values.ndim and 0 < values.shape[0] <= HASHED_ROWS:
            hashes = {hash(row.tobytes()) for row in array}
            self._rows += values.shape[0]
        else:
            hashes = {hash(array.tobytes())}
            self._rows += 1
        before = len(self._unique)
        self._unique |= hashes
        if len(self._unique) > before:
            self._new = self._rows
