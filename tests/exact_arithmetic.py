"""Truth by rational and multiple-precision arithmetic, for the tests of proven digits."""

from __future__ import annotations

import math
from fractions import Fraction


def _rows(X, y, w, intercept):
    rows = [[Fraction(float(v)) for v in row] + ([Fraction(1)] if intercept else []) for row in X]
    weights = [Fraction(1)] * len(rows) if w is None else [Fraction(float(v)) for v in w]
    return rows, [Fraction(float(v)) for v in y], weights


def solve(A, b):
    """Gaussian elimination in rationals."""
    A = [[*row, v] for row, v in zip(A, b)]
    size = len(A)
    for i in range(size):
        pivot = next(r for r in range(i, size) if A[r][i] != 0)
        A[i], A[pivot] = A[pivot], A[i]
        A[i] = [v / A[i][i] for v in A[i]]
        for r in range(size):
            if r != i and A[r][i]:
                A[r] = [a - A[r][i] * c for a, c in zip(A[r], A[i])]
    return [row[-1] for row in A]


def exact_least_squares(X, y, w=None, strength=0.0, intercept=True):
    """Coefficients, then the intercept, of the problem with these float64 numbers, exactly."""
    rows, target, weights = _rows(X, y, w, intercept)
    size, p = len(rows[0]), len(X[0])
    gram = [[sum(s * r[i] * r[j] for s, r in zip(weights, rows)) for j in range(size)] for i in range(size)]
    for j in range(p):
        gram[j][j] += Fraction(strength) * sum(weights)
    return solve(gram, [sum(s * r[i] * t for s, r, t in zip(weights, rows, target)) for i in range(size)])


def exact_value(X, y, w, strength, weights_found, intercept=True):
    """The objective there, exactly."""
    rows, target, weights = _rows(X, y, w, intercept)
    half = Fraction(1, 2)
    loss = sum(
        s * half * (t - sum(a * b for a, b in zip(r, weights_found))) ** 2 for s, r, t in zip(weights, rows, target)
    )
    return loss / sum(weights) + Fraction(strength) * half * sum(v * v for v in weights_found[: len(X[0])])


def right_digits(found, truth):
    """Fewest right decimal digits: -log10 of the relative error, of the absolute where the truth is (almost) zero."""
    worst = 17.0
    for a, b in zip(found, truth, strict=True):
        b = Fraction(b)
        error = abs(Fraction(a) - b)
        if abs(b) > Fraction(1, 10**30):
            error /= abs(b)
        if error:
            worst = min(worst, -math.log10(error) if error < 10**300 else -300.0)
    return worst
