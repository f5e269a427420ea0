"""The design matrix X: dense tensor or sparse matrix, read in blocks of rows.

Both kinds offer the same few products, all accumulated in float64 whatever the dtype of X:
``scores(w) = X w``, ``adjoint(r) = X'r``, ``gram(d) = X' diag(d) X``, and ``blocks()`` for one pass that does several.
A dense block is a tensor that shares memory with X where the dtype is float64 already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.threads import each, ranges

MOST_SUMS = 4000  # columns up to which every thread has a Gram matrix of its own
BLOCK_BYTES = 1 << 21  # a block's float64 size: two thirds of a typical second-level cache


def gram_rows(p: int) -> int:
    """Rows whose products a Gram matrix of p columns sums in float32: rounding is at most about an eightieth of the
    matrix in norm, where its diagonal is ones."""
    return min(max((1 << 24) // (80 * p), 256), 8192)


def sum_of(parts: list[Tensor]) -> Tensor:
    """Their sum, in their order."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


class DenseDesign:
    """A dense (n, p) tensor of float32 or float64, on any device; never copied."""

    sparse = False

    def __init__(self, X: Tensor) -> None:
        self.X = X
        self.n, self.p = X.shape
        self.dtype = X.dtype
        self.device = X.device
        self._double = X.dtype == torch.float64
        # NumPy's products with few columns take half to a fifth of the time of torch's on the CPU.
        self._array = X.numpy() if X.device.type == "cpu" else None

    @property
    def block_rows(self) -> int:
        """Rows of a block: all of them where X is small or not on the CPU."""
        if self.device.type != "cpu" or self.n * self.p * 8 <= 4 * BLOCK_BYTES:
            return self.n
        return max(16, BLOCK_BYTES // (8 * self.p))

    def ranges(self, multiple: int | None = None) -> list[slice]:
        """Consecutive ranges of rows that cover X once, one a thread; of whole blocks where there are several."""
        if self.device.type != "cpu":
            return [slice(0, self.n)]
        return ranges(self.n, self.n * self.p, 8 if multiple is None else multiple)

    def blocks(self, single: bool = False, within: slice | None = None) -> Iterator[tuple[slice, DenseDesign]]:
        """Consecutive (rows, design) pieces that cover X, or the rows ``within``, once: in float64, or with ``single``
        in the dtype of X."""
        step = self.block_rows * (8 // self.X.element_size() if single else 1)
        begin, end = (0, self.n) if within is None else (within.start, within.stop)
        cast = not (single or self._double)
        if step >= self.n and end - begin == self.n:
            yield slice(0, self.n), DenseDesign(self.X.double()) if cast else self
            return
        for start in range(begin, end, step):
            rows = slice(start, min(start + step, end))
            yield rows, DenseDesign(self.X[rows].double() if cast else self.X[rows])

    def scores(self, w: Tensor) -> Tensor:
        """X w: (n,) for ``w`` (p,), (n, K) for (p, K); float64, or float32 where X and w are."""
        X = self._array
        if w.dtype != self.dtype:
            pieces = each(lambda own: [block.scores(w) for _, block in self.blocks(within=own)], self.ranges())
            return torch.cat([z for piece in pieces for z in piece])
        if X is None:
            return self.X @ w
        found = each(lambda own: X[own] @ w.numpy(), self.ranges())
        return torch.from_numpy(found[0] if len(found) == 1 else np.concatenate(found))

    def adjoint(self, r: Tensor) -> Tensor:
        """X'r: (p,) for ``r`` (n,), (p, K) for (n, K); float64, or float32 where X and r are."""
        X = self._array
        if r.dtype != self.dtype:
            return sum_of(each(lambda own: self._adjoint_of_blocks(r, own), self.ranges()))
        if X is None:
            return r @ self.X if r.ndim == 1 else (r.T @ self.X).T
        total = sum_of(each(lambda own: torch.from_numpy(r[own].numpy().T @ X[own]), self.ranges()))
        return total if r.ndim == 1 else total.T

    def _adjoint_of_blocks(self, r: Tensor, own: slice) -> Tensor:
        total = r.new_zeros((self.p, *r.shape[1:]))
        for rows, block in self.blocks(within=own):
            total += block.adjoint(r[rows])
        return total

    def gram(self, d: Tensor | None = None, dtype: torch.dtype = torch.float64) -> Tensor:
        """X' diag(d) X, (p, p), computed in ``dtype``; ``d`` (n,) >= 0, all ones by default.  In float32 sums run over
        at most ``gram_rows`` rows, and from there in float64."""
        if dtype == torch.float32:
            step = gram_rows(self.p)
        else:
            step = max(self.n, 1) if d is None and self.dtype == dtype else max(self.block_rows, 4 * self.p)
        root = None if d is None else d.sqrt().to(dtype)[:, None]
        own = self.ranges(min(step, 64)) if self.p < MOST_SUMS else [slice(0, self.n)]
        return sum_of(each(lambda rows: self._gram_of_rows(rows, step, root, dtype), own))

    def _gram_of_rows(self, own: slice, step: int, root: Tensor | None, dtype: torch.dtype) -> Tensor:
        total = torch.zeros((self.p, self.p), dtype=torch.float64, device=self.device)
        for start in range(own.start, own.stop, step):
            rows = slice(start, min(start + step, own.stop))
            block = self.X[rows].to(dtype)
            if root is not None:
                block = block * root[rows]
            if self.device.type == "cpu":
                # NumPy recognises A'A and computes half of it (syrk); torch computes it all.
                a = block.numpy()
                total += torch.from_numpy(a.T @ a)
            else:
                total += block.T @ block
        return total

    def rows(self, index: Any) -> DenseDesign:
        """The chosen rows (index tensor, mask or slice)."""
        return DenseDesign(self.X[index])

    def columns(self, index: Tensor) -> DenseDesign:
        """The chosen columns."""
        return DenseDesign(self.X.index_select(1, index) if index.dtype == torch.int64 else self.X[:, index])

    def row_norms_squared(self, factor: Tensor) -> Tensor:
        """|F x_i|² of each row for a (p, q) matrix F' applied from the right, (n,)."""

        def norms(own: slice) -> list[Tensor]:
            return [(block.X @ factor).square_().sum(1) for _, block in self.blocks(within=own)]

        return torch.cat([norm for part in each(norms, self.ranges()) for norm in part])

    def column_statistics(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, lowest and highest value of each column, each (p,) float64."""
        if self.device.type == "cpu":
            array = self.X.numpy()  # several times faster than torch along the first dimension
            lowest, highest = torch.from_numpy(array.min(0)), torch.from_numpy(array.max(0))
        else:
            lowest, highest = torch.aminmax(self.X, dim=0)
        total = torch.zeros(self.p, dtype=torch.float64, device=self.device)
        for _, block in self.blocks():
            total += block.X.mean(0) * (block.n / self.n)
        return total, lowest.double(), highest.double()

    def is_finite(self) -> bool:
        """No NaN and no infinity anywhere."""
        if bool(torch.isfinite(self.X.sum())):
            return True
        return bool(torch.isfinite(self.X).all())

    def to_dense(self) -> Tensor:
        """X as a float64 tensor."""
        return self.X.double()


class SparseDesign:
    """A SciPy CSR matrix on the CPU, kept in its dtype with 32-bit indices where they fit."""

    sparse = True
    device = torch.device("cpu")

    def __init__(self, X: Any) -> None:
        import scipy.sparse

        csr = scipy.sparse.csr_array(X)
        if csr.dtype not in (np.float32, np.float64):
            csr = csr.astype(np.float64)
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        self.X = csr
        self.n, self.p = csr.shape
        self.dtype = torch.float32 if csr.dtype == np.float32 else torch.float64
        self._double = csr if csr.dtype == np.float64 else csr.astype(np.float64)
        self._transposed: Any = None

    def ranges(self) -> list[slice]:
        """All rows at once."""
        return [slice(0, self.n)]

    def blocks(self, single: bool = False, within: slice | None = None) -> Iterator[tuple[slice, SparseDesign]]:
        """One block: a sparse product reads what it needs once anyway."""
        yield slice(0, self.n), self

    def scores(self, w: Tensor) -> Tensor:
        """X w: (n,) for ``w`` (p,), (n, K) for (p, K); float64."""
        return torch.from_numpy(self._double @ w.numpy())

    def adjoint(self, r: Tensor) -> Tensor:
        """X'r: (p,) for ``r`` (n,), (p, K) for (n, K); float64."""
        return torch.from_numpy(self._double.T @ r.numpy())

    def gram(self, d: Tensor | None = None, dtype: torch.dtype = torch.float64) -> Tensor:
        """X' diag(d) X as a dense (p, p) tensor, float64."""
        left = self._double if d is None else self._double.multiply(d.numpy()[:, None]).tocsr()
        product = self._double.T @ left
        return torch.from_numpy(np.asarray(product.todense()))

    def rows(self, index: Any) -> SparseDesign:
        """The chosen rows (index tensor, mask or slice)."""
        return SparseDesign(self.X[index.numpy() if isinstance(index, Tensor) else index])

    def columns(self, index: Tensor) -> SparseDesign:
        """The chosen columns."""
        return SparseDesign(self.X[:, index.numpy()])

    def row_norms_squared(self, factor: Tensor) -> Tensor:
        """|F x_i|² of each row for a (p, q) matrix F' applied from the right, (n,)."""
        step = max(256, BLOCK_BYTES // (8 * factor.shape[1]))
        pieces = [self._double[i : i + step] @ factor.numpy() for i in range(0, self.n, step)]
        return torch.from_numpy(np.concatenate([np.square(piece).sum(1) for piece in pieces]))

    def column_statistics(self) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, lowest and highest value of each column (zeros counted), each (p,) float64."""
        mean = np.asarray(self._double.mean(0)).reshape(-1)
        low, high = (np.asarray(m.todense()).reshape(-1) for m in (self._double.min(axis=0), self._double.max(axis=0)))
        return torch.from_numpy(mean), torch.from_numpy(low), torch.from_numpy(high)

    def is_finite(self) -> bool:
        """No NaN and no infinity among the stored values."""
        return bool(np.isfinite(self.X.data).all())

    def to_dense(self) -> Tensor:
        """X as a float64 tensor."""
        return torch.from_numpy(self._double.toarray())


Design = DenseDesign | SparseDesign


def as_design(X: Any) -> Design:
    """The design matrix of a (n, p) tensor, array or SciPy sparse matrix.  Integers and booleans become float64,
    float16 and bfloat16 become float32; float32 and float64 are kept, without a copy."""
    if isinstance(X, Tensor):
        tensor = X.detach()
    elif hasattr(X, "tocsr"):
        return SparseDesign(X)
    else:
        array = np.asarray(X)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
        if not array.flags.writeable or any(s < 0 for s in array.strides):
            array = array.copy()
        tensor = torch.from_numpy(array)
    if tensor.layout is not torch.strided:
        import scipy.sparse

        coo = tensor.to_sparse_coo().coalesce().cpu()
        row, column = coo.indices().numpy()
        return SparseDesign(scipy.sparse.csr_array((coo.values().numpy(), (row, column)), shape=tuple(coo.shape)))
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    elif tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.double()
    return DenseDesign(tensor)
