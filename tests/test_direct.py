"""Least squares: certified values, rank, minimum norm, ridge, every way of the direct solver."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.certificate import Verdict
from sightline.data import make_data
from sightline.inference import covariance, standard_errors
from sightline.losses import Squared
from sightline.objective import Objective, Weights
from sightline.penalties import L1
from sightline.solvers import direct
from tests.exact_arithmetic import exact_least_squares, exact_value, right_digits

NIST = Path(__file__).parent / "data" / "nist"
# Fewest right digits that the exact solution of the problem with float64 data has: the ceiling.
CEILING = {
    "Norris": 14.1, "Pontius": 13.5, "NoInt1": 14.7, "NoInt2": 15.0, "Longley": 14.6, "Wampler1": 15.0,
    "Wampler2": 13.2, "Wampler3": 15.0, "Wampler4": 15.0, "Wampler5": 15.0, "Filip": 7.6,
}  # fmt: skip
DEGREE = {"Norris": 1, "Pontius": 2, "Filip": 10} | {f"Wampler{i}": 5 for i in range(1, 6)}


def nist(name):
    """Columns (powers computed plainly), target, certified coefficients (intercept first) and their errors."""
    lines = (NIST / f"{name}.dat").read_text().splitlines()
    header = "\n".join(lines[:60])
    first, last = map(int, re.search(r"Certified Values\s+\(lines\s+(\d+) to\s+(\d+)\)", header).groups())
    found = [re.match(r"\s*B\d+\s+(\S+)\s+(\S+)", line) for line in lines[first - 1 : last]]
    pairs = [m.groups() for m in found if m]
    first, last = map(int, re.search(r"Data\s+\(lines\s+(\d+) to\s+(\d+)\)", header).groups())
    table = np.array([[float(v) for v in line.split()] for line in lines[first - 1 : last] if line.strip()])
    X = table[:, 1:]
    if name in DEGREE:
        X = np.stack([X[:, 0] ** k for k in range(1, DEGREE[name] + 1)], 1)
    return X, table[:, 0], [Fraction(b) for b, _ in pairs], [Fraction(e) for _, e in pairs]


@pytest.mark.parametrize("name", CEILING)
def test_nist_coefficients_reach_the_ceiling(name):
    X, y, certified, _ = nist(name)
    intercept = not name.startswith("NoInt")
    result = sl.fit(X, y, loss="squared", fit_intercept=intercept)
    found = [*result.bias.tolist(), *result.weight[0].tolist()] if intercept else result.weight[0].tolist()
    assert len(found) == len(certified)
    assert right_digits(found, certified) >= CEILING[name] - 0.5
    assert result.certificate.verdict is Verdict.OPTIMAL
    assert result.certificate.digits >= (13 if name == "Filip" else 15)
    if intercept:
        ones = sl.fit(np.c_[np.ones(len(y)), X], y, loss="squared", fit_intercept=False)
        assert right_digits(ones.weight[0].tolist(), certified) >= CEILING[name] - 0.5


@pytest.mark.parametrize("name", [n for n in CEILING if n not in ("Wampler1", "Wampler2")])
def test_nist_standard_errors(name):
    X, y, _, certified = nist(name)
    intercept = not name.startswith("NoInt")
    result = sl.fit(X, y, loss="squared", fit_intercept=intercept)
    objective = Objective(make_data(X, y, Squared()), Squared(), intercept=intercept)
    errors = standard_errors(objective, Weights(result.weight[0], result.bias[0]))
    found = [float(errors.intercept), *errors.coef.tolist()] if intercept else errors.coef.tolist()
    assert right_digits(found, certified) >= (7 if name == "Filip" else 12)
    spread = covariance(objective, Weights(result.weight[0], result.bias[0])).diagonal().sqrt()
    assert torch.allclose(spread[:-1], errors.coef, rtol=1e-12)


def problem(seed, n=12, p=3, condition=1.0, noise=1.0, weights=False, offset=0.0):
    rng = np.random.default_rng(seed)
    u, _ = np.linalg.qr(rng.standard_normal((n, p)))
    v, _ = np.linalg.qr(rng.standard_normal((p, p)))
    X = (u * np.logspace(0, -np.log10(condition), p)) @ v.T + offset
    y = X @ rng.standard_normal(p) + noise * rng.standard_normal(n)
    return X, y, (rng.integers(1, 5, n).astype(float) if weights else None)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6), condition=st.sampled_from([1.0, 1e4, 1e8]), weights=st.booleans(),
    intercept=st.booleans(), strength=st.sampled_from([0.0, 2.0**-20, 0.25]), way=st.sampled_from(["small", "gram"]),
)
def test_the_gap_holds_against_rational_arithmetic(seed, condition, weights, intercept, strength, way):
    X, y, w = problem(seed, condition=condition, weights=weights)
    size = direct.SMALL
    direct.SMALL = 0 if way == "gram" else size
    try:
        result = sl.fit(
            X, y, loss="squared", sample_weight=w, fit_intercept=intercept,
            penalty="l2" if strength else None, strength=strength or None,
        )
    finally:
        direct.SMALL = size
    best = exact_least_squares(X, y, w, strength, intercept)
    least = exact_value(X, y, w, strength, best, intercept)
    found = [*result.weight[0].tolist(), *(result.bias.tolist() if intercept else [])]
    value = exact_value(X, y, w, strength, [Fraction(v) for v in found], intercept)
    certificate = result.certificate
    assert certificate.verdict is Verdict.OPTIMAL
    assert float(value - least) <= certificate.gap
    # The reported value is a float64 number; what its own rounding may hide is in the gap.
    assert certificate.value - float(least) <= certificate.gap + 1e-15 * float(value)
    assert abs(certificate.value - float(value)) <= 1e-13 * float(value) * max(1.0, condition)
    if certificate.digits is not None:
        assert certificate.digits <= right_digits(found, best) + 1e-6


def check_least_norm(X, y, intercept=True, **options):
    result = sl.fit(X, y, loss="squared", fit_intercept=intercept, **options)
    dense = X.toarray() if scipy.sparse.issparse(X) else np.asarray(X, dtype=float)
    A, b = (dense - dense.mean(0), y - y.mean(0)) if intercept else (dense, y)
    reference = np.linalg.lstsq(A, b, rcond=1e-12)[0]
    assert result.certificate.verdict is Verdict.NOT_UNIQUE
    witness = result.certificate.witness
    assert witness.kind == "null space"
    assert witness.rank == np.linalg.matrix_rank(A, 1e-12 * np.linalg.norm(A))
    assert witness.columns == A.shape[1]
    np.testing.assert_allclose(result.weight.numpy().squeeze().T, reference, atol=1e-9 * np.abs(reference).max())
    return result


def test_dependent_columns_give_the_smallest_solution():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), rng.standard_normal(60)
    check_least_norm(np.c_[X, X[:, 0]], y)
    check_least_norm(np.c_[X, X], y, intercept=False)
    check_least_norm(np.c_[X, np.full(60, 0.1)], y)
    check_least_norm(np.c_[X, X[:, 1] + X[:, 2], 1e6 * X[:, 3]], y)
    check_least_norm(np.c_[X, X @ [1.0, 2.0, 3.0, 4.0] + 5.0], np.c_[y, y**2])
    check_least_norm(np.tile(rng.standard_normal((30000, 4)), 2), rng.standard_normal(30000))


@pytest.mark.parametrize("intercept", [True, False])
def test_more_columns_than_rows(intercept):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((15, 40)), rng.standard_normal(15)
    result = check_least_norm(X, y, intercept)
    assert result.certificate.value < 1e-25


def test_constant_columns_only():
    y = np.array([1.0, 2.0, 6.0])
    result = sl.fit(np.full((3, 2), 0.3), y, loss="squared")
    assert result.certificate.verdict is Verdict.NOT_UNIQUE
    assert result.certificate.witness.rank == 0
    assert result.weight.abs().max() == 0
    assert result.bias.item() == pytest.approx(3.0, rel=1e-15)


def test_an_ill_conditioned_design_is_not_called_deficient():
    X, y, _ = problem(5, n=30, p=5, condition=1e11)
    certificate = sl.fit(X, y, loss="squared").certificate
    assert certificate.verdict is Verdict.OPTIMAL
    assert certificate.digits > 5


@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e-40])
@pytest.mark.parametrize("shape", [(30, 5), (300, 400), (20, 60), (30000, 5)])
def test_ridge_in_every_shape(shape, strength):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal(shape) + 3, rng.standard_normal(shape[0])
    result = sl.fit(X, y, loss="squared", penalty="l2", strength=strength)
    assert result.certificate.verdict is Verdict.OPTIMAL
    A, b = X - X.mean(0), y - y.mean()
    n, p = shape
    if n > p:
        reference = np.linalg.solve(A.T @ A + n * strength * np.eye(p), A.T @ b)
    else:
        reference = A.T @ np.linalg.lstsq(A @ A.T + n * strength * np.eye(n), b, rcond=1e-12)[0]
    np.testing.assert_allclose(result.weight[0], reference, atol=1e-9 * np.abs(reference).max())


@pytest.mark.parametrize("size", [50, 40000])
def test_targets_weights_and_offset(size):
    rng = np.random.default_rng(3)
    X, Y = rng.standard_normal((size, 4)), rng.standard_normal((size, 3))
    w, offset = rng.integers(1, 4, size), rng.standard_normal(size)
    together = sl.fit(X, Y, loss="squared", sample_weight=w, offset=offset)
    copies = sl.fit(np.repeat(X, w, 0), np.repeat(Y - offset[:, None], w, 0), loss="squared")
    np.testing.assert_allclose(together.weight, copies.weight, atol=1e-12)
    np.testing.assert_allclose(together.bias, copies.bias, atol=1e-12)
    for k in range(3):
        alone = sl.fit(X, Y[:, k], loss="squared", sample_weight=w, offset=offset)
        np.testing.assert_allclose(alone.weight[0], together.weight[k], atol=1e-13)


@pytest.mark.parametrize("size", [50, 40000])
def test_kinds_of_matrix_agree(size):
    rng = np.random.default_rng(4)
    X = np.round(rng.standard_normal((size, 4)), 2) * (rng.random((size, 4)) < 0.5)
    y = rng.standard_normal(size)
    dense = sl.fit(X, y, loss="squared")
    sparse = sl.fit(scipy.sparse.csr_array(X), y, loss="squared")
    single = sl.fit(X.astype(np.float32), y, loss="squared")
    np.testing.assert_allclose(sparse.weight, dense.weight, atol=1e-13)
    np.testing.assert_allclose(single.weight, dense.weight, atol=1e-6)
    assert single.weight.dtype == torch.float32
    assert single.certificate.digits < 8.5
    assert single.certificate.verdict is Verdict.OPTIMAL


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), power=st.integers(-400, 400), big=st.booleans())
def test_scale_and_order_change_nothing_but_rounding(seed, power, big):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((30000 if big and seed % 5 == 0 else 40, 3)), None
    y = rng.standard_normal(len(X))
    scale = np.array([2.0**power, 1.0, 2.0 ** (-power // 2)])
    plain = sl.fit(X, y, loss="squared")
    scaled = sl.fit(X * scale, y, loss="squared")
    np.testing.assert_allclose(scaled.weight[0].numpy() * scale, plain.weight[0], rtol=1e-9)
    order = rng.permutation(len(y))
    np.testing.assert_allclose(sl.fit(X[order], y[order], loss="squared").weight, plain.weight, rtol=1e-9)
    twice = sl.fit(np.c_[X, X], y, loss="squared")
    assert twice.certificate.verdict is Verdict.NOT_UNIQUE
    np.testing.assert_allclose(twice.weight[0].numpy(), np.tile(plain.weight[0], 2) / 2, rtol=1e-9)


def test_large_offsets():
    rng = np.random.default_rng(6)
    X = np.round(rng.standard_normal((200, 3)), 3)
    y = X @ [1.0, -2.0, 3.0] + rng.standard_normal(200)
    near = sl.fit(np.round((X + 2**27) * 1024) / 1024 - 2**27, y, loss="squared")
    far = sl.fit(np.round((X + 2**27) * 1024) / 1024, y, loss="squared")
    np.testing.assert_allclose(far.weight, near.weight, rtol=1e-12)
    assert far.certificate.digits > 12


def test_refusals():
    data = make_data(np.eye(3), np.arange(3.0), Squared())
    assert "L1" in str(L1(1.0)) and "smooth penalty" in direct.Direct().refuses(Objective(data, Squared(), L1(1.0)))
    with pytest.raises(ValueError, match="not quadratic"):
        sl.fit(np.eye(3), [0, 1, 1], loss="logistic", penalty="l2", strength=1.0, solver="direct")


def test_zero_target_and_perfect_fit():
    X = np.arange(12.0).reshape(6, 2) ** 2
    zero = sl.fit(X, np.zeros(6), loss="squared")
    assert zero.certificate.verdict is Verdict.OPTIMAL and zero.weight.abs().max() == 0
    perfect = sl.fit(X, X @ [1.0, 2.0] + 3.0, loss="squared")
    assert perfect.weight[0].tolist() == [1.0, 2.0] and perfect.bias.tolist() == [3.0]
    assert perfect.certificate.verdict is Verdict.OPTIMAL
