"""Columns that are no combination of those before them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.cone import Cone
from sightline.exact import Floats
from sightline.working import rank_tolerance

LARGEST = 5e7  # numbers in a dense matrix beyond which the rank is not examined
MOST = 3000  # columns or rows, whichever are fewer, beyond which it is not examined
BLOCK = 4e6  # numbers factored at a time


def triangle(A: Any) -> Floats:
    """A matrix R with R'R = A'A of at most as many rows as columns, from QR of blocks of rows; A (m, q) dense or
    SciPy's."""
    m, q = A.shape
    step = max(int(BLOCK / max(q, 1)), q + 1)
    R = np.zeros((0, q))
    for start in range(0, m, step):
        part = A[start : start + step]
        part = part if isinstance(part, np.ndarray) else part.toarray()
        stacked = np.vstack([R, part])
        R = np.asarray(np.linalg.qr(stacked, mode="r")) if len(stacked) > q else stacked
    return R


def leading(R: Floats, tolerance: float) -> NDArray[np.int64]:
    """The columns of R (r, q), from left to right, that are not combinations of the ones taken before: Gram-Schmidt,
    twice (Giraud et al. 2005), a column counting as dependent when less than ``tolerance`` of it is left."""
    basis = np.zeros((R.shape[0], 0))
    taken = []
    sizes = np.sqrt(np.square(R).sum(0))
    for j in range(R.shape[1]):
        if sizes[j] == 0 or basis.shape[1] == R.shape[0]:
            continue
        v = R[:, j] / sizes[j]
        for _ in range(2):
            v = v - basis @ (basis.T @ v)
        left = float(np.sqrt(v @ v))
        if left > tolerance:
            basis = np.column_stack([basis, v / left])
            taken.append(j)
    return np.array(taken, dtype=np.int64)


def independent_columns(cone: Cone) -> NDArray[np.int64] | None:
    """Indices of the columns of X that are no combination of the intercept and the columns before them, as R's ``glm``
    keeps them; None where there are too many columns to tell."""
    if min(cone.n, cone.p) > MOST or cone.n * float(cone.p) > LARGEST:
        return None
    rows = np.arange(cone.n)
    X = cone.X / cone.scale if not cone.sparse else cone.X.multiply(1 / cone.scale).tocsr()
    if cone.shift.any():
        X = X - cone.shift / cone.scale
    if cone.intercept:
        ones = np.ones((len(rows), 1))
        if cone.sparse:
            import scipy.sparse as sp

            X = sp.hstack([sp.csr_array(ones), X], format="csr")
        else:
            X = np.hstack([ones, X])
    tolerance = max(64.0 * rank_tolerance(cone.objective.data.design), 1e-11)
    taken = leading(triangle(X), tolerance) - int(cone.intercept)
    return taken[taken >= 0]
