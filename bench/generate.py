"""Generators of the data: ``make(n, p, rng) -> X, y``, X in float32 (not iris), y in {0, 1}, classes or reals."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.fft import idctn


def _bernoulli(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels in {0, 1} drawn from the logistic model with these scores."""
    return (rng.random(len(scores)) * (1.0 + np.exp(-scores)) < 1.0).astype(np.int64)


def binary(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Independent normal columns, labels from a logistic model whose scores have a deviation of 2."""
    X = rng.standard_normal((n, p), dtype=np.float32)
    w = rng.standard_normal(p)
    return X, _bernoulli(X @ (2.0 * w / np.linalg.norm(w)), rng)


def binary_badly_scaled(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`binary` with its columns multiplied by 1e-3 to 1e3, in random order, after the labels were drawn."""
    X = rng.standard_normal((n, p), dtype=np.float32)
    w = rng.standard_normal(p)
    y = _bernoulli(X @ (2.0 * w / np.linalg.norm(w)), rng)
    X *= rng.permutation(np.logspace(-3, 3, p)).astype(np.float32)
    return X, y


def binary_wide(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """More columns than rows; twenty of them matter."""
    X = rng.standard_normal((n, p), dtype=np.float32)
    w = np.zeros(p)
    w[rng.choice(p, 20, replace=False)] = rng.choice([-1.0, 1.0], 20)
    return X, _bernoulli(X @ w, rng)


def text(n: int, p: int, rng: np.random.Generator) -> tuple[sp.csr_matrix, np.ndarray]:
    """Fifty words a row, drawn by Zipf's law, weighted by the inverse of how common they are; unit rows."""
    cumulative = np.cumsum(1.0 / np.arange(1, p + 1))
    words = np.searchsorted(cumulative, rng.random(n * 50) * cumulative[-1]).astype(np.int32)
    X = sp.csr_matrix((np.ones(n * 50), words, np.arange(0, n * 50 + 1, 50, dtype=np.int32)), shape=(n, p))
    X.sum_duplicates()
    rows_with = np.bincount(X.indices, minlength=p)
    X.data *= (1.0 + np.log((1 + n) / (1 + rows_with)))[X.indices]
    X.data /= np.repeat(np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel()), np.diff(X.indptr))
    y = _bernoulli(X @ (4.0 * rng.standard_normal(p)), rng)
    return sp.csr_matrix(X, dtype=np.float32), y


def digits(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's 8 x 8 digits, over 16 (real data: the arguments are not used)."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y.astype(np.int64)


def images(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ten classes of smooth square pictures, values 0 to 1 and half of them dark, with a spectrum that decays.

    A picture is its class's smooth shape plus random smooth variation, faded to the edges and clipped. Mean, largest
    eigenvalues and difficulty are about those of handwritten digits: plain L-BFGS needs some 300 iterations.
    """
    side = round(p**0.5)
    if side * side != p:
        raise ValueError(f"pictures are square, {p} pixels are not")
    k = np.arange(side)
    amplitude = (np.hypot(*np.meshgrid(k, k)) + 1.0) ** -1.6
    amplitude /= np.linalg.norm(amplitude)
    window = np.outer(np.sin(np.pi * (k + 0.5) / side), np.sin(np.pi * (k + 0.5) / side))
    y = rng.integers(0, 10, n)

    def smooth(how_many: int) -> np.ndarray:
        waves = rng.standard_normal((how_many, side, side), dtype=np.float32) * amplitude.astype(np.float32)
        return idctn(waves, axes=(1, 2), norm="ortho") * (side * window).astype(np.float32)

    shapes = smooth(10)
    X = np.empty((n, side, side), dtype=np.float32)
    for start in range(0, n, 5000):
        rows = slice(start, min(start + 5000, n))
        X[rows] = np.clip(0.35 * shapes[y[rows]] + smooth(rows.stop - rows.start), 0.0, 1.0)
    return X.reshape(n, p), y


def regression(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns (neighbours by one half), a fifth of them with weight, noise of deviation 1."""
    X = rng.standard_normal((n, p), dtype=np.float32)
    for j in range(1, p):
        X[:, j] = 0.5 * X[:, j - 1] + np.float32(0.75**0.5) * X[:, j]
    w = np.where(rng.random(p) < 0.2, rng.standard_normal(p), 0.0)
    return X, (X @ w + rng.standard_normal(n)).astype(np.float32).astype(np.float64)


def noisy_labels(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Independent normal columns, labels by the side of a plane, a tenth of them flipped."""
    X = rng.standard_normal((n, p), dtype=np.float32)
    y = (X @ rng.standard_normal(p) > 0) ^ (rng.random(n) < 0.1)
    return X, y.astype(np.int64)


def iris(n: int, p: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Virginica or not: the 100 training rows of the reference case (the arguments are not used)."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    X, y = load_iris(return_X_y=True)
    X_train, _, y_train, _ = train_test_split(X, y, test_size=0.33, random_state=42)
    return np.ascontiguousarray(X_train), (y_train == 2).astype(np.int64)
