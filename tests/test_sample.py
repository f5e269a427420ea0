"""The sample of rows: what it proves for all rows, and what it costs."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

import sightline as sl
from sightline.data import make_data
from sightline.design_matrix import DenseDesign, gram_rows
from sightline.losses import LOSSES, PRODUCT_ROWS, Logistic, as_loss, log_of_product
from sightline.objective import Objective, Weights, problem
from sightline.solvers.rows import sampled, stratified
from sightline.solvers.sample import Sample, curvature_gram, row_sizes
from sightline.solvers.small import LogisticRows, Rows


def objective_of(loss, seed, n=4000, p=5, intercept=True, weighted=False, dtype=np.float64, l2=1e-3, spread=1.0):
    rng = np.random.default_rng(seed)
    X = (rng.standard_normal((n, p)) @ (np.eye(p) + 0.3 * rng.standard_normal((p, p)))).astype(dtype)
    X *= 10.0 ** np.linspace(-spread, spread, p)
    z = X @ (rng.standard_normal(p) / X.std(0)) / math.sqrt(p) + 0.3
    if loss in ("logistic", "squared_hinge"):
        y = z + rng.logistic(size=n) > 0
    elif loss == "poisson":
        y = rng.poisson(np.exp(0.5 * z)).astype(float)
    else:
        y = z + rng.standard_t(3, n)
    weight = rng.uniform(0.1, 3, n) if weighted else None
    data = make_data(X, y, as_loss(loss), sample_weight=weight)
    return problem(data, as_loss(loss), sl.L2(l2) if l2 else None, None, None, None, intercept)


def optimum(objective):
    from sightline.driver import solve

    solution = solve(objective, solver="newton", tol=1e-13)
    return solution.weights, solution.certificate.value


@given(
    loss=st.sampled_from(["logistic", "squared_hinge", "poisson", "huber"]), seed=st.integers(0, 10**6),
    away=st.sampled_from([1e-5, 1e-4, 1e-3, 1e-2]), intercept=st.booleans(), weighted=st.booleans(),
    single=st.booleans(), l2=st.sampled_from([0.0, 1e-3]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_what_a_sample_proves_is_true(loss, seed, away, intercept, weighted, single, l2):
    objective = objective_of(loss, seed, intercept=intercept, weighted=weighted, l2=l2)
    best, lowest = optimum(objective)
    part = sampled(objective, 1000, single=single)
    rng = np.random.default_rng(seed + 1)
    moved = best.coef * torch.from_numpy(1 + away * rng.standard_normal(objective.p))
    weights = Weights(moved, best.intercept + (away * rng.standard_normal() if intercept else 0.0))
    sample = Sample(objective, part, weights, part.scores(weights, single=True))
    now = objective.evaluate(weights)
    gap = sample.gap(weights, now)
    assert gap >= now.value - lowest - 1e-12 * abs(lowest)
    if away <= 1e-4 and loss == "logistic":
        assert gap <= 50 * max(now.value - lowest, 1e-12)  # rows over sample rows is 4


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_a_hessian_from_afar_is_computed_anew_where_that_proves(loss):
    objective = objective_of(loss, 3, n=40_000)
    best, lowest = optimum(objective)
    part = sampled(objective, 5000, single=True)
    far = Weights(best.coef * 0.8, best.intercept)
    sample = Sample(objective, part, far, part.scores(far, single=True))
    near = Weights(best.coef * (1 + 3e-4), best.intercept)
    now = objective.evaluate(near)
    assert now.value - lowest <= sample.gap(near, now) <= 1e-6 * now.value


def test_rounding_of_a_gram_matrix_in_float32_is_within_its_allowance():
    objective = objective_of("logistic", 0, n=20_000, p=12, spread=3.0)
    part = sampled(objective, 8000, single=True)
    curvature = torch.rand(8000, dtype=torch.float64)
    gram, allowance = curvature_gram(part, curvature)
    doubled = dataclasses.replace(part.data, design=DenseDesign(part.data.design.X.double()))
    exact = dataclasses.replace(part, data=doubled)
    true = exact.curvature_gram(curvature)
    scale = true.diagonal().sqrt()
    error = torch.linalg.matrix_norm((gram - true) / scale / scale[:, None], 2)
    assert 0 < float(error) < allowance < 0.02


@pytest.mark.parametrize("p", [1, 20, 200, 3000])
def test_rows_of_a_float32_gram_matrix_keep_its_rounding_small(p):
    assert p * gram_rows(p) * 2.0**-24 <= max(1 / 80, p * 256 * 2.0**-24)


def test_row_sizes_bound_the_norm_in_a_diagonal():
    objective = objective_of("logistic", 1, spread=2.0)
    part = sampled(objective, 700, single=True)
    squares = torch.rand(objective.p + 1, dtype=torch.float64) + 0.1
    rows = torch.cat([part.data.design.X.double(), torch.ones(700, 1, dtype=torch.float64)], 1)
    true = (rows.square() / squares).sum(1)
    found = row_sizes(part, squares)
    assert bool((found >= true).all()) and bool((found <= true * 1.0001).all())


def test_columns_too_wide_for_float32_are_kept_in_float64():
    objective = objective_of("logistic", 1)
    wide = DenseDesign(objective.data.design.X * torch.tensor([1.0, 1e30, 1.0, 1.0, 1.0], dtype=torch.float64))
    wide = dataclasses.replace(objective, data=dataclasses.replace(objective.data, design=wide))
    assert sampled(wide, 100, single=True).data.design.dtype == torch.float64
    assert sampled(objective, 100, single=True).data.design.dtype == torch.float32


@given(n=st.integers(1, 5000), share=st.floats(0.001, 1.0))
def test_a_stratified_sample_has_a_row_of_every_stretch(n, share):
    m = max(1, int(n * share))
    rows = stratified(n, m).tolist()
    assert all(int(i * n / m) <= row <= math.ceil((i + 1) * n / m) and row < n for i, row in enumerate(rows))


@pytest.mark.parametrize("name", ["squared_hinge", "huber", "logistic", "poisson", "squared"])
def test_least_curvature_is_a_lower_bound(name):
    loss = LOSSES[name]()
    rng = np.random.default_rng(0)
    z, radius = torch.from_numpy(rng.uniform(-3, 3, 400)), torch.from_numpy(rng.uniform(0, 1, 400))
    y = torch.from_numpy(np.sign(rng.standard_normal(400)) if loss.targets == "binary" else rng.poisson(2, 400) * 1.0)
    least = loss.least_curvature(z, y, radius)
    for share in np.linspace(-0.999, 0.999, 41):
        assert bool((least <= loss.curvature(z + share * radius, y) + 1e-12).all())
    if name in ("squared_hinge", "huber"):
        assert 0 < float((least > 0).double().mean()) < 1


@given(st.lists(st.floats(0, 1), max_size=60))
def test_logarithm_of_a_product(q):
    q = torch.tensor(q, dtype=torch.float64)
    true = float(q.log().sum())
    found = log_of_product(q)
    assert found == -math.inf or found == pytest.approx(true, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 30.0, 900.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_total_and_gradient_are_those_of_the_rows(scale, dtype):
    generator = torch.Generator().manual_seed(0)
    rows = PRODUCT_ROWS + 3
    y = torch.where(torch.rand(rows, generator=generator) < 0.5, -1.0, 1.0).to(dtype)
    z = (scale * torch.randn(rows, generator=generator)).to(dtype)
    for sign in (y, 1.0):  # every label predicted, or half of them
        loss = Logistic()
        total, dual = loss.total_and_gradient(z.abs() * sign, y)
        values, expected = loss.value_and_gradient(z.abs() * sign, y)
        rel = 1e-12 if dtype == torch.float64 else 2e-6
        assert total == pytest.approx(float(values.double().sum()), rel=rel)
        assert torch.equal(dual, expected)


@given(seed=st.integers(0, 10**6), scale=st.sampled_from([1e-3, 1.0, 50.0]), weighted=st.booleans())
@settings(deadline=None)
def test_logistic_rows_by_numpy_are_those_by_torch(seed, scale, weighted):
    objective = objective_of("logistic", seed, n=50, weighted=weighted)
    z = scale * np.random.default_rng(seed).standard_normal(50)
    ours, theirs = LogisticRows(objective), Rows(objective)
    assert ours.at(z) == pytest.approx(theirs.at(z), rel=1e-13)
    np.testing.assert_allclose(ours.first(), theirs.first(), rtol=1e-12, atol=1e-300)
    s = theirs.s.numpy() if weighted else theirs.s
    np.testing.assert_allclose(ours.second(), s * expit(z) * expit(-z), rtol=1e-12)
    third = ours.third()
    step = 1e-6
    ours.at(z + step)
    ours.first()
    up = ours.second()
    ours.at(z - step)
    ours.first()
    np.testing.assert_allclose(third, (up - ours.second()) / (2 * step), atol=1e-9)


def passes(monkeypatch, n, fit):
    """(single or double) of every pass over n rows in a fit, and the result."""
    seen = []
    evaluate = Objective.evaluate

    def counted(o, *args, single=False, **rest):
        if o.n == n:
            seen.append("single" if single else "double")
        return evaluate(o, *args, single=single, **rest)

    monkeypatch.setattr(Objective, "evaluate", counted)
    return fit(), seen


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_over_many_rows(monkeypatch, loss, dtype):
    """What a fit costs, by the measure that does not depend on the machine."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((210_000, 20)).astype(dtype)
    y = X @ rng.standard_normal(20) / 4 + rng.logistic(size=210_000) > 0
    result, seen = passes(monkeypatch, 210_000, lambda: sl.fit(X, y, loss=loss, C=1.0, solver="sampled-newton"))
    assert result.certificate.optimal
    assert len(seen) <= 3
    if dtype == np.float32:
        assert seen.count("double") == 1


def test_large_float32_least_squares_have_their_gram_matrix_in_float32(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60_000, 80)).astype(np.float32)
    y = X @ rng.standard_normal(80) + rng.standard_normal(60_000)
    dtypes = []
    gram = DenseDesign.gram

    def seen(design, d=None, dtype=torch.float64):
        dtypes.append(dtype)
        return gram(design, d, dtype)

    monkeypatch.setattr(DenseDesign, "gram", seen)
    for intercept in (False, True):
        dtypes.clear()
        result = sl.fit(X, y, loss="squared", fit_intercept=intercept)
        assert dtypes == [torch.float32]
        assert result.certificate.optimal and result.certificate.relative_gap < 1e-9
        A = np.column_stack([X.astype(float), np.ones(len(X))]) if intercept else X.astype(float)
        best = np.linalg.lstsq(A, y, rcond=None)[0]
        np.testing.assert_allclose(result.weight[0].numpy(), best[:80], rtol=2e-6, atol=1e-6)
    # Nearly dependent columns are more than float32 can tell apart.
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 1]
    dtypes.clear()
    assert sl.fit(X, y, loss="squared").certificate.optimal
    assert torch.float64 in dtypes
