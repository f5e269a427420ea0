"""Exact arithmetic on floating-point data: every float64 is an integer times a power of two.

Signs of x·v for integer vectors v, and integer vectors in the null space of a few rows.  Floats are used wherever
their result is known to be exact; Python's integers elsewhere.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[Any]  # dtype object: Python's integers

PRIMES = (2097143, 2097133)  # the largest below 2^21: products of up to 2^11 of them sum exactly in float64
LIFTS = 800  # digits base p that a solution may have at most
CHUNK = 1 << 20  # cells handled at a time


def as_integers(v: list[Fraction]) -> list[int]:
    """The shortest integer vector in the direction of a rational one."""
    common = math.lcm(*(f.denominator for f in v))
    whole = [int(f * common) for f in v]
    divisor = math.gcd(*whole)
    return [w // divisor for w in whole] if divisor > 1 else whole


def column_exponents(X: Floats) -> NDArray[np.int64]:
    """For each column the largest e (at most 0 for a zero column) such that x / 2^e is an integer throughout."""
    mantissa, exponent = np.frexp(X)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = whole & -whole
    zeros = np.frexp(lowest.astype(np.float64))[1] - 1
    power = np.where(whole == 0, np.iinfo(np.int64).max, exponent.astype(np.int64) - 53 + zeros)
    least = power.min(axis=0)
    return np.where(least == np.iinfo(np.int64).max, 0, least)


def integer_columns(X: Floats, exponents: NDArray[np.int64]) -> Integers:
    """x / 2^e as Python integers, the shape of X."""
    mantissa, exponent = np.frexp(X)
    whole = np.ldexp(mantissa, 53).astype(np.int64).astype(object)
    shift = exponent.astype(np.int64) - 53 - exponents
    left, right = np.maximum(shift, 0).astype(object), np.maximum(-shift, 0).astype(object)
    shifted: Integers = (whole << left) >> right  # the bits shifted out are zeros
    return shifted


def signs(X: Floats, v: list[int], constant: int) -> NDArray[np.int8]:
    """Sign of x·v + constant for each row of X (n, p), exactly: (n,) of -1, 0, 1."""
    used = [j for j, c in enumerate(v) if c]
    out = np.empty(len(X), dtype=np.int8)
    step = max(1, CHUNK // max(len(used), 1))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        out[rows] = _signs(np.ascontiguousarray(X[rows][:, used]), [v[j] for j in used], constant)
    return out


def _signs(X: Floats, v: list[int], constant: int) -> NDArray[np.int8]:
    if not v:
        return np.full(len(X), (constant > 0) - (constant < 0), dtype=np.int8)
    exponents = column_exponents(X)
    power = [int(e) + _trailing_zeros(c) for e, c in zip(exponents, v)]
    least = min([*power, _trailing_zeros(constant)] if constant else power)
    scaled = [_shift(c, int(e) - least) for c, e in zip(v, exponents)]
    fixed = _shift(constant, -least)
    # Column by column, the largest integer that x / 2^e takes; its product sums bound every partial sum.
    with np.errstate(over="ignore"):
        top = np.ldexp(np.abs(X).max(axis=0), -exponents)
    if all(t < 2.0**53 for t in top):
        bound = abs(fixed) + sum(int(t) * abs(s) for t, s in zip(top, scaled))
        if bound < 2**53:
            total = np.ldexp(X, -exponents) @ np.array(scaled, dtype=np.float64) + float(fixed)
            return np.sign(total).astype(np.int8)
    whole = integer_columns(X, exponents)
    sums = whole @ np.array(scaled, dtype=object) + fixed
    return np.array([(s > 0) - (s < 0) for s in sums], dtype=np.int8)


def _trailing_zeros(c: int) -> int:
    return (c & -c).bit_length() - 1


def _shift(c: int, by: int) -> int:
    return c << by if by >= 0 else c >> -by


def null_vector(T: Floats, guess: Floats) -> list[Fraction] | None:
    """A rational v near ``guess`` (Q,) with T v = 0 exactly, or None where T's columns are independent (or the
    solution needs more than ``LIFTS`` digits).

    Gaussian elimination modulo a prime finds independent rows and columns; the other entries are those of the guess,
    rounded; Dixon's p-adic lifting gives these (Dixon 1982, "Exact solution of linear equations using p-adic
    expansions").
    """
    exponents = column_exponents(T)
    whole = integer_columns(T, exponents)
    # Row factors do no harm to T v = 0; common powers keep the numbers short.
    order = np.argsort(np.abs(guess), kind="stable")  # large entries last: they stay free
    for prime in PRIMES:
        rows, places = _echelon(whole[:, order], prime)
        pivots = order[places]
        if len(pivots) == len(guess):
            return None
        free = np.setdiff1d(np.arange(len(guess)), pivots)
        rounded = [Fraction(round(float(guess[j]) * 2**24), 2**24) for j in free]
        if not any(rounded):
            return None
        # In the integer columns, v_j 2^e_j is the unknown.
        values = [f * Fraction(2) ** int(exponents[j]) for f, j in zip(rounded, free)]
        common = math.lcm(*(f.denominator for f in values))
        right = -(whole[np.ix_(rows, free)] @ np.array([int(f * common) for f in values], dtype=object))
        solution = solve_integers(whole[np.ix_(rows, pivots)], right, prime) if len(pivots) else []
        if solution is None:
            continue
        v = [Fraction(0)] * len(guess)
        for j, f in zip(free, rounded):
            v[j] = f
        for j, f in zip(pivots, solution):
            v[j] = f / common / Fraction(2) ** int(exponents[j])
        return v
    return None


def _echelon(whole: Integers, prime: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pivot rows and columns of an integer matrix modulo a prime."""
    a = (whole % prime).astype(np.int64)
    live = np.ones(len(a), dtype=bool)
    rows, places = [], []
    for j in range(a.shape[1]):
        candidates = np.flatnonzero(live & (a[:, j] != 0))
        if not len(candidates):
            continue
        i = int(candidates[0])
        live[i] = False
        others = candidates[1:]
        if len(others):
            factor = a[others, j] * pow(int(a[i, j]), -1, prime) % prime
            a[others, j:] = (a[others, j:] - factor[:, None] * a[i, j:]) % prime
        rows.append(i)
        places.append(j)
        if not live.any():
            break
    return np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64)


def solve_integers(M: Integers, b: Integers, prime: int = PRIMES[0]) -> list[Fraction] | None:
    """The rational x with M x = b for a square integer matrix that is regular modulo the prime, else None."""
    r = len(M)
    inverse = _inverse(M, prime)
    if inverse is None:
        return None
    factor = inverse.astype(np.float64)
    small = max(abs(int(m)) for m in M.reshape(-1)) * prime * r < 2**62
    narrow = M.astype(np.int64) if small else M
    residual, total, power = b.astype(object), np.zeros(r, dtype=object), 1
    check = 8
    for lift in range(1, LIFTS + 1):
        digit = np.fmod(factor @ (residual % prime).astype(np.float64), prime)
        x = digit.astype(np.int64)
        total = total + x.astype(object) * power
        power *= prime
        product = (narrow @ x).astype(object) if small else M @ x.astype(object)
        residual = (residual - product) // prime
        done = not residual.any()
        if done or lift == check:
            check += max(8, check // 3)
            found = [Fraction(int(t)) for t in total] if done else _reconstruct(total, power)
            if found is not None and _solves(M, found, b):
                return found
    return None


def _inverse(M: Integers, prime: int) -> NDArray[np.int64] | None:
    r = len(M)
    a = np.concatenate([(M % prime).astype(np.int64), np.eye(r, dtype=np.int64)], axis=1)
    for j in range(r):
        pivot = np.flatnonzero(a[j:, j])
        if not len(pivot):
            return None
        i = j + int(pivot[0])
        if i != j:
            a[[i, j]] = a[[j, i]]
        a[j] = a[j] * pow(int(a[j, j]), -1, prime) % prime
        others = np.flatnonzero(a[:, j])
        others = others[others != j]
        a[others] = (a[others] - a[others, j][:, None] * a[j]) % prime
    return a[:, r:]


def _reconstruct(total: Integers, modulus: int) -> list[Fraction] | None:
    """Rational numbers from their residues, with a common denominator carried along (Wang 1981)."""
    limit = math.isqrt(modulus // 2)
    common, out = 1, []
    for t in total:
        residue = int(t) * common % modulus
        r0, r1, t0, t1 = modulus, residue, 0, 1
        while r1 > limit:
            q = r0 // r1
            r0, r1, t0, t1 = r1, r0 - q * r1, t1, t0 - q * t1
        if t1 == 0 or abs(t1) > limit:
            return None
        out.append(Fraction(r1, t1) / common)
        common *= abs(t1)
        if common > limit:
            return None
    return out


def _solves(M: Integers, x: list[Fraction], b: Integers) -> bool:
    common = math.lcm(*(f.denominator for f in x))
    whole = np.array([int(f * common) for f in x], dtype=object)
    return not np.any(M @ whole - b * common)
