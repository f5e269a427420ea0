"""Huber regression with a joint scale: against scikit-learn, its own definition, and where the scale is zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import HuberRegressor

import sightline as sl
from sightline.concomitant import solve_concomitant
from sightline.losses import Huber


def objective(X, y, w, b, sigma, epsilon, alpha, weight=None):
    weight = np.ones(len(y)) if weight is None else weight
    r = np.abs(X @ w + b - y)
    if sigma == 0:
        total = 2 * epsilon * weight @ r
    else:
        inner = np.minimum(r, epsilon * sigma)
        total = weight.sum() * sigma + weight @ (inner * (2 * r - inner)) / sigma
    return (total + alpha * w @ w) / weight.sum()


def solved(X, y, weight=None, **options):
    solution, sigma = solve_concomitant(sl.make_data(X, y, Huber(), sample_weight=weight), **options)
    return solution, sigma, solution.weights.coef.numpy(), float(solution.weights.intercept)


@pytest.mark.parametrize("epsilon", [1.1, 1.35, 3.0])
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 1.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_agrees_with_scikit_learn(epsilon, alpha, intercept):
    rng = np.random.default_rng(int(10 * epsilon))
    X = rng.normal(size=(120, 5))
    y = 2 + X @ rng.normal(size=5) + rng.standard_t(1.5, size=120)
    weight = rng.integers(1, 4, size=120).astype(float)
    solution, sigma, w, b = solved(
        X, y, weight, epsilon=epsilon, alpha=alpha, fit_intercept=intercept, tol=1e-12
    )
    theirs = HuberRegressor(epsilon=epsilon, alpha=alpha, fit_intercept=intercept, tol=1e-9, max_iter=10_000)
    theirs.fit(X, y, sample_weight=weight)
    assert solution.certificate.optimal
    # scikit-learn's L-BFGS stops at a relative change of 2e-9: its objective is that near, its coefficients 1e-4.
    assert np.allclose(w, theirs.coef_, atol=1e-3)
    assert b == pytest.approx(theirs.intercept_, abs=1e-3)
    assert sigma == pytest.approx(theirs.scale_, rel=1e-3)
    value = objective(X, y, w, b, sigma, epsilon, alpha, weight)
    near = objective(X, y, theirs.coef_, theirs.intercept_, theirs.scale_, epsilon, alpha, weight)
    assert solution.certificate.value == pytest.approx(value, rel=1e-12)
    assert value <= near <= value * (1 + 1e-6)
    r = X @ w + b - y
    theta = 2 * weight * np.clip(r / sigma, -epsilon, epsilon)
    assert np.abs(X.T @ theta + 2 * alpha * w).max() < 1e-6 * len(y)
    assert np.mean(weight * (1 - np.minimum((r / sigma) ** 2, epsilon**2))) == pytest.approx(0, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_bound_holds_and_is_tight(seed):
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 80)), int(rng.integers(1, 6))
    X = rng.normal(size=(n, p)) + rng.choice([0, 50])
    y = X @ rng.normal(size=p) + rng.standard_t(1.5, size=n) * rng.choice([1e-3, 1, 100])
    epsilon, alpha = float(rng.choice([1.0, 1.35, 5.0])), float(rng.choice([0, 1e-4, 1.0]))
    solution, sigma, w, b = solved(X, y, epsilon=epsilon, alpha=alpha)
    certificate = solution.certificate
    assert certificate.optimal
    for size in (1e-6, 1e-3, 1e-1):
        nearby = objective(
            X, y, w + size * rng.normal(size=p), b + size * rng.normal(), sigma * np.exp(size * rng.normal()),
            epsilon, alpha,
        )  # fmt: skip
        assert nearby >= certificate.lower_bound * (1 - 1e-13)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
def test_invariances(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 3))
    y = X @ rng.normal(size=3) + rng.standard_t(2, size=40)
    options = {"alpha": 0.0, "tol": 1e-11}
    solution, sigma, w, b = solved(X, y, **options)
    k = rng.integers(1, 4, size=40)
    weighted, copies = solved(X, y, k, **options), solved(np.repeat(X, k, 0), np.repeat(y, k), **options)
    assert weighted[1] == pytest.approx(copies[1], rel=1e-7)
    assert np.allclose(weighted[2], copies[2], atol=1e-7)
    order = rng.permutation(40)
    assert np.allclose(solved(X[order], y[order], **options)[2], w, atol=1e-7)
    scaled = solved(X * [1e-6, 1.0, 1e6], 1000 * y + 5, **options)
    assert scaled[1] == pytest.approx(1000 * sigma, rel=1e-6)
    assert np.allclose(scaled[2], 1000 * w / [1e-6, 1.0, 1e6], rtol=1e-5, atol=1e-9 / 1e-6)
    assert scaled[3] == pytest.approx(1000 * b + 5, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 1e-4])
def test_scale_of_a_perfect_fit_is_zero(alpha):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    solution, sigma, w, _ = solved(X, X @ [1.0, 2.0, 3.0] + 1, alpha=alpha)
    assert solution.certificate.optimal
    assert sigma < 1e-10
    assert np.allclose(w, [1, 2, 3], atol=1e-3 if alpha else 1e-10)
    if sigma == 0:
        assert "scale is 0" in solution.solver


@pytest.mark.parametrize("alpha", [0.0, 1e-4])
def test_scale_is_zero_where_most_rows_fit_exactly(alpha):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 3))
    y = X @ [1.0, 2.0, 3.0] + 1
    y[:10] += 10 * rng.normal(size=10)
    solution, sigma, w, b = solved(X, y, alpha=alpha)
    assert solution.certificate.optimal
    assert sigma == 0
    assert "least absolute deviations" in solution.solver
    assert np.allclose(w, [1, 2, 3], atol=1e-4 if alpha else 1e-10)
    for other in (1e-12, 1e-6, 1e-2, 1.0):
        assert objective(X, y, w, b, other, 1.35, alpha) > solution.certificate.value


def test_constant_target_and_dependent_columns():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 2))
    solution, sigma, w, b = solved(X, np.full(30, 7.0))
    assert solution.certificate.optimal
    assert (sigma, b) == (0.0, 7.0)
    assert not w.any()
    solution, _, w, _ = solved(np.hstack([X, X]), X[:, 0] + rng.normal(size=30), alpha=0.0)
    assert solution.certificate.verdict is sl.Verdict.NOT_UNIQUE
    assert np.allclose(w[:2], w[2:], atol=1e-7)


def test_float32_data_and_many_rows():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20_000, 6)).astype(np.float32)
    y = (X @ rng.normal(size=6) + rng.standard_t(1.2, size=20_000)).astype(np.float32)
    solution, sigma, w, b = solved(X, y)
    assert solution.certificate.optimal
    assert np.array_equal(w, w.astype(np.float32))
    value = objective(X.astype(float), y.astype(float), w, b, sigma, 1.35, 1e-4)
    assert value == pytest.approx(solution.certificate.value, rel=1e-12)


def test_stopped_early_and_refusals():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(100, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_t(1.5, size=100)
    data = sl.make_data(X, y, Huber())
    early, _ = solve_concomitant(data, tol=1e-15, max_iter=1)
    assert early.certificate.verdict is sl.Verdict.INACCURATE
    assert "max_iter=1" in early.solver
    stopped, _ = solve_concomitant(data, tol=1e-15, callback=lambda number, step: True)
    assert stopped.certificate.verdict is sl.Verdict.INTERRUPTED
    for wrong, word in (({"epsilon": 0.5}, "epsilon"), ({"alpha": -1.0}, "alpha"), ({"tol": 0.0}, "tol")):
        with pytest.raises(ValueError, match=word):
            solve_concomitant(data, **wrong)
