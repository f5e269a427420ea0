"""Double-double arithmetic on float64 tensors: twice the digits, from plain sums and products.

A number is an unevaluated sum hi + lo with |lo| <= half a unit in the last place of hi: 106 bits.  Everything is built
from error-free transformations (Knuth 1969, 4.2.2 theorem B; Dekker 1971) on whole tensors, so it runs wherever torch
has float64.  Matrix products cut both factors into slices of so few bits that an ordinary float64 product of two
slices is exact (Ozaki, Ogita, Oishi & Rump 2012, "Error-free transformations of matrix multiplication").

Shapes broadcast as in torch; all tensors are float64.  Magnitudes must stay between 1e-140 and 1e140 (callers scale by
powers of two); nothing here raises.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

SPLITTER = 134217729.0  # 2^27 + 1 (Dekker 1971, section 5.2)
UNIT = 2.0**-53  # half a unit in the last place of 1
EXP_ERROR = 2.0**-70  # relative error of ``exp``
SLICES = 5  # slices of a double-double vector


class DD(NamedTuple):
    """An unevaluated sum hi + lo of two float64 tensors of one shape."""

    hi: Tensor
    lo: Tensor

    def double(self) -> Tensor:
        """The nearest float64."""
        return self.hi + self.lo

    def neg(self) -> DD:
        """-x."""
        return DD(-self.hi, -self.lo)

    def scaled(self, power: Tensor | float) -> DD:
        """x times powers of two (exact)."""
        return DD(self.hi * power, self.lo * power)


def dd(x: Tensor) -> DD:
    """A float64 tensor as a double-double."""
    return DD(x, torch.zeros_like(x))


def two_sum(a: Tensor, b: Tensor) -> DD:
    """a + b exactly (Knuth)."""
    s = a + b
    t = s - a
    return DD(s, (a - (s - t)) + (b - t))


def fast_two_sum(a: Tensor, b: Tensor) -> DD:
    """a + b exactly where |a| >= |b| or a = 0 (Dekker)."""
    s = a + b
    return DD(s, b - (s - a))


def split(a: Tensor) -> tuple[Tensor, Tensor]:
    """a as the sum of two numbers of at most 26 bits (Dekker, Veltkamp)."""
    c = SPLITTER * a
    high = c - (c - a)
    return high, a - high


def two_product(a: Tensor, b: Tensor) -> DD:
    """a · b exactly (Dekker)."""
    p = a * b
    ah, al = split(a)
    bh, bl = split(b)
    return DD(p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)


def add(a: DD, b: DD) -> DD:
    """a + b, relative error below 2^-104 (the accurate sum of Joldes, Muller & Popescu 2017, algorithm 6)."""
    s, t = two_sum(a.hi, b.hi), two_sum(a.lo, b.lo)
    v = fast_two_sum(s.hi, s.lo + t.hi)
    return fast_two_sum(v.hi, t.lo + v.lo)


def add_double(a: DD, b: Tensor) -> DD:
    """a + b for a float64 ``b``, relative error below 2^-105."""
    s = two_sum(a.hi, b)
    return fast_two_sum(s.hi, a.lo + s.lo)


def multiply(a: DD, b: DD) -> DD:
    """a · b, relative error below 2^-102."""
    p = two_product(a.hi, b.hi)
    return fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi))


def times_double(a: DD, b: Tensor) -> DD:
    """a · b for a float64 ``b``, relative error below 2^-103."""
    p = two_product(a.hi, b)
    return fast_two_sum(p.hi, p.lo + a.lo * b)


def divide(a: DD, b: DD) -> DD:
    """a / b, relative error below 2^-100."""
    q = a.hi / b.hi
    rest = add(a, times_double(b, q).neg())
    return fast_two_sum(q, rest.double() / b.hi)


def accurate_sum(x: DD, dim: int = 0) -> DD:
    """Sum along a dimension by pairs: log2(n) levels of ``add``."""
    hi, lo = x.hi.movedim(dim, 0), x.lo.movedim(dim, 0)
    while len(hi) > 1:
        half = len(hi) // 2
        s = add(DD(hi[:half], lo[:half]), DD(hi[half : 2 * half], lo[half : 2 * half]))
        odd = len(hi) % 2
        hi = torch.cat([s.hi, hi[-1:]]) if odd else s.hi
        lo = torch.cat([s.lo, lo[-1:]]) if odd else s.lo
    return DD(hi[0], lo[0])


def dot(a: Tensor, b: Tensor) -> DD:
    """a'b of (n,) or along dimension 0 of (n, K) tensors, as if in twice the working precision (Ogita, Rump & Oishi
    2005, algorithm 5.3)."""
    return accurate_sum(two_product(a, b))


# ------------------------------------------------------------------------------------------------- exponential

_TABLE = 256


@functools.cache
def _powers() -> tuple[Tensor, Tensor, tuple[float, float, float]]:
    """2^(j / 256) as hi and lo, and ln 2 / 256 as three floats of 32, 32 and 53 bits."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 60
        step = Decimal(2).ln() / _TABLE
        root, value, hi, lo = step.exp(), Decimal(1), [], []
        for _ in range(_TABLE):
            hi.append(float(value))
            lo.append(float(value - Decimal(hi[-1])))
            value *= root
        first = math.floor(step * 2**40) / 2.0**40
        second = math.floor((step - Decimal(first)) * 2**72) / 2.0**72
        third = float(step - Decimal(first) - Decimal(second))
    return torch.tensor(hi, dtype=torch.float64), torch.tensor(lo, dtype=torch.float64), (first, second, third)


def exp(x: DD) -> DD:
    """e^x, relative error below ``EXP_ERROR`` for -700 <= x <= 700; zero below -745, and inf above 709.

    x = k ln 2 / 256 + r with |r| < 0.0014: a table gives the first factor, and of e^r = 1 + r + r²/2 + ... only the
    terms 1 and r need more than float64 (Tang 1989): the rest, below 2^-20, is rounded three times and cut at r^7.
    """
    hi, lo, (first, second, third) = _powers()
    device = x.hi.device
    clipped = x.hi.clamp(-800.0, 800.0)
    k = torch.round(clipped * (_TABLE / math.log(2)))
    r = add_double(two_sum(clipped - k * first, -k * second), x.lo - k * third)
    h = r.hi
    h2 = h * h
    tail = h2 * (0.5 + h * (1 / 6 + h * (1 / 24 + h * (1 / 120 + h * (1 / 720)))))
    tail = tail + h * r.lo
    grown = add_double(DD(h, r.lo), tail)
    index = (k.long() % _TABLE).cpu() if device.type != "cpu" else k.long() % _TABLE
    base = DD(hi[index].to(device), lo[index].to(device))
    result = add(base, multiply(base, grown))
    exponent = torch.floor(k / _TABLE).to(torch.int32)
    half = torch.div(exponent, 2, rounding_mode="floor")
    one = torch.ones_like(h)
    for e in (half, exponent - half):
        power = torch.ldexp(one, e)
        result = DD(result.hi * power, result.lo * power)
    return DD(result.hi, torch.where(torch.isfinite(result.hi), result.lo, 0.0))


# ---------------------------------------------------------------------------------------------- matrix products


def _slices(x: DD, bits: int) -> list[Tensor]:
    """x, |x| <= 1, as ``SLICES`` summands; the j-th a multiple of 2^(-j bits), at most 2^(-(j-1) bits), the last
    whatever remains."""
    parts, rest = [], x.hi
    for j in range(1, SLICES):
        big = 1.5 * 2.0 ** (52 - j * bits)
        part = (rest + big) - big
        parts.append(part)
        rest = rest - part
        if j == 3:
            rest = rest + x.lo
    return [*parts, rest]


class Sliced:
    """A matrix A (n, P) with entries of at most 1 in size, ready for products with double-double vectors.

    With few rows, ``slices`` 3 gives products to about 2^-90 of max|A| max|v| · length, 4 and 5 to 2^-110;
    ``product_error`` and ``adjoint_error`` are proven bounds.  Holds ``slices`` copies of A.
    """

    def __init__(self, A: Tensor, slices: int = 4) -> None:
        self.n, self.p = A.shape
        self.count = slices
        self.bits = (53 - math.ceil(math.log2(slices * max(self.n, self.p, 2)))) // 2
        self.levels = min(slices + SLICES - 1, math.ceil(112 / self.bits) + 1)
        parts, rest = [], A
        for i in range(1, slices):
            big = 1.5 * 2.0 ** (52 - i * self.bits)
            part = (rest + big) - big
            parts.append(part)
            rest = rest - part
        self.cat = torch.cat([*parts, rest], 1)

    def product(self, v: DD) -> DD:
        """A v for ``v`` (P, K): (n, K)."""
        v, size = _normalised(v)
        parts = _slices(v, self.bits)
        zero = torch.zeros_like(parts[0])
        columns = [
            torch.cat([parts[c - i] if 0 <= c - i < SLICES else zero for i in range(self.count)])
            for c in range(self.levels)
        ]
        z = self.cat @ torch.cat(columns, 1)
        return _chain(list(z.split(v.hi.shape[1], 1))).scaled(size)

    def adjoint(self, r: DD) -> DD:
        """A'r for ``r`` (n, K): (P, K)."""
        r, size = _normalised(r)
        k = r.hi.shape[1]
        z = (self.cat.T @ torch.cat(_slices(r, self.bits), 1)).reshape(self.count, self.p, SLICES, k)
        levels = []
        for c in range(self.levels):
            pairs = [z[i, :, c - i] for i in range(self.count) if 0 <= c - i < SLICES]
            total = pairs[0]
            for pair in pairs[1:]:
                total = total + pair
            levels.append(total)
        return _chain(levels).scaled(size)

    def product_error(self, size: float, result: float) -> float:
        """Bound on the error of each entry of a product of entries up to ``result`` with a vector up to ``size``."""
        return self._error(self.p) * 2 * size + 2.0**-104 * result

    def adjoint_error(self, size: float, result: float) -> float:
        """The same for the adjoint."""
        return self._error(self.n) * 2 * size + 2.0**-104 * result

    def _error(self, length: int) -> float:
        """Rounding of the levels that are not exact (the usual bound for a sum of ``terms``), and what is left out:
        levels, and the last bits of the vector."""
        terms = self.count * length
        inexact = 2.0 * terms * UNIT * terms * 2.0 ** (-(min(self.count, SLICES) - 1) * self.bits)
        left_out = 2.0 * terms * (2.0 ** (-self.levels * self.bits) + UNIT * 2.0 ** (-3 * self.bits))
        return inexact + left_out


def _normalised(v: DD) -> tuple[DD, float]:
    """v / 2^e with no entry above 1, and 2^e."""
    largest = float(v.hi.abs().max())
    if largest == 0 or not math.isfinite(largest):
        return v, 1.0
    size = 2.0 ** (math.frexp(largest)[1])
    return v.scaled(1 / size), size


def _chain(levels: list[Tensor]) -> DD:
    """Sum of a few tensors of falling size (cancellation between them allowed), as a double-double."""
    total, error = two_sum(levels[0], levels[1])
    tail = torch.zeros_like(total)
    for level in reversed(levels[3:]):
        tail = tail + level
    total, second = two_sum(total, levels[2])
    low = two_sum(error, second)
    end = two_sum(low.hi, tail)
    top = two_sum(total, end.hi)
    return fast_two_sum(top.hi, top.lo + (low.lo + end.lo))
