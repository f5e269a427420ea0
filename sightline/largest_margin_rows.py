"""Margins as rows: any number of classes with the bias in the norm, and the largest margin in the l-infinity norm."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linprog

from sightline.certificate import Certificate, Verdict
from sightline.data import DataError
from sightline.exact import Floats

MOST_CELLS = 2e8


def difference_rows(X: Floats, codes: Floats, outputs: int | None, intercept: bool) -> Floats:
    """Rows whose products with the flat weights are the margins.

    X : (n, p).  codes : (n,) signs where ``outputs`` is None, else class numbers.  Binary: t (x, 1), (n, p + 1).  K
    classes: for each row and other class k the difference of the scores of the own class and of k, (n (K - 1),
    K (p + 1)), weights class after class.

    Raises
    ------
    DataError : too many of them.
    """
    if intercept:
        X = np.hstack([X, np.ones((len(X), 1))])
    if outputs is None:
        return X * np.sign(codes)[:, None]
    n, q = X.shape
    if n * (outputs - 1) * outputs * q > MOST_CELLS:
        raise DataError(f"{n} rows of {outputs} classes make {n * (outputs - 1)} margins of {outputs * q} weights: too"
                        " many to hold. Take a sample of the rows.")  # fmt: skip
    out = np.zeros((n, outputs - 1, outputs, q))
    for i in range(n):
        own = int(codes[i])
        for place, k in enumerate(c for c in range(outputs) if c != own):
            out[i, place, own], out[i, place, k] = X[i], -X[i]
    return out.reshape(n * (outputs - 1), outputs * q)


def largest_linf(rows: Floats) -> tuple[Floats, float, Certificate]:
    """Weights of least largest size with rows·w >= 1, the margin 1 / that size, and the certificate of the size.

    rows : (m, q), separable through the origin.  The linear program's multipliers prove it: a size below
    Σα / ‖Σ α row‖₁ is impossible.  The weights need not be the only ones.
    """
    unit = float(np.abs(rows).max()) or 1.0
    Z = rows / unit
    m, q = Z.shape
    eye = np.eye(q)
    A = np.vstack([np.hstack([-Z, np.zeros((m, 1))]), np.hstack([eye, -np.ones((q, 1))]),
                   np.hstack([-eye, -np.ones((q, 1))])])  # fmt: skip
    b = np.concatenate([-np.ones(m), np.zeros(2 * q)])
    cost = np.zeros(q + 1)
    cost[-1] = 1.0
    solved = linprog(cost, A_ub=A, b_ub=b, bounds=[(None, None)] * q + [(0, None)], method="highs")
    if solved.x is None:
        raise DataError(f"the linear program of the l-infinity margin ended without a solution: {solved.message}")
    w = solved.x[:q]
    w = w / float((Z @ w).min())
    alpha = np.maximum(-np.asarray(solved.ineqlin.marginals[:m]), 0.0)
    size = float(np.abs(w).max())
    spread = float(np.abs(alpha @ Z).sum())
    lower = float(alpha.sum()) / spread * (1 - 1e-13 * math.sqrt(m)) if spread > 0 else 0.0
    gap = max(size - lower, 0.0)
    verdict = Verdict.OPTIMAL if gap <= 1e-8 * size else Verdict.INACCURATE
    certificate = Certificate(verdict, size / unit, gap / unit, size / unit, 1e-8, "duality gap")
    return w / unit, unit / size, certificate
