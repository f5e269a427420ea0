"""Hinge, quantile and Huber's loss: against linear programming, scikit-learn, published numbers and invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.bounds import dual_value, duality_gap
from sightline.losses import as_loss
from sightline.objective import Objective, Weights
from sightline.penalties import L1, L2, NONE, ElasticNetPenalty, Penalty
from sightline.solvers.margin import InteriorPoint


def founding(n: int, flips: int, seed: int = 0, d: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels, REFERENCE.md founding case 1."""
    np.random.seed(seed)  # noqa: NPY002 - the published draw
    g = np.random.normal(size=d) / np.sqrt(d)  # noqa: NPY002
    X = np.random.normal(size=(n, d)).astype(np.float32) / np.sqrt(d)  # noqa: NPY002
    label = X @ g > 0
    flipped = np.random.choice(n, flips, replace=False)  # noqa: NPY002
    label[flipped] = ~label[flipped]
    return X, label.astype(int)


def by_linear_programming(X, y, low, high, s, penalty, intercept, offset=None):
    """HiGHS: min Σ s (high u - low v) + l1 |w|  with  X w + b + offset - y = u - v."""
    n, p = X.shape
    right = y if offset is None else y - offset
    A = np.hstack([X, -X, np.ones((n, 1)), -np.eye(n), np.eye(n)])
    c = np.concatenate([np.full(2 * p, penalty.l1), [0.0], s * high, -s * low])
    negative = (0, 0) if penalty.positive else (0, None)
    bounds = [(0, None)] * p + [negative] * p + [(None, None) if intercept else (0, 0)] + [(0, None)] * (2 * n)
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    return scipy.optimize.linprog(c, A_eq=A, b_eq=right, bounds=bounds, method="highs", options=tight).fun


def ends(loss, y):
    if loss.name == "hinge":
        return np.where(y > 0, -1.0, 0.0), np.where(y > 0, 0.0, 1.0)
    return np.full(len(y), -loss.quantile), np.full(len(y), 1 - loss.quantile)


def test_founding_optima():
    for n, flips, positive, optimum in ((100, 20, 32, 0.5173021463), (1000, 200, 461, 0.6202191224)):
        X, y = founding(n, flips)
        assert y.sum() == positive
        result = sl.fit(X, y, loss="hinge", tol=1e-10)
        assert result.certificate.optimal
        assert result.certificate.value == pytest.approx(optimum, abs=1e-8)
        assert result.certificate.relative_gap < 1e-13


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", [NONE, L1(0.02), Penalty(positive=True), Penalty(l1=0.02, positive=True)], ids=str)
@pytest.mark.parametrize("loss", [sl.Hinge(), sl.Quantile(0.5), sl.Quantile(0.9)], ids=["hinge", "median", "q=.9"])
def test_agrees_with_linear_programming(seed, penalty, loss):
    rng = np.random.default_rng([seed, int(100 * getattr(loss, "quantile", 0))])
    n, p = int(rng.integers(15, 60)), int(rng.integers(1, 9))
    X = rng.normal(size=(n, p))
    if seed == 1:
        X, n = np.vstack([X, X]), 2 * n
    if seed == 2:
        X = np.round(X)
    if seed == 3:
        X = X * 10.0 ** rng.integers(-5, 5, size=p)
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    y = np.where(y > np.median(y), 1.0, -1.0) if loss.name == "hinge" else (np.round(y) if seed == 2 else y)
    weight = rng.integers(1, 5, size=n).astype(float) if seed == 4 else np.ones(n)
    offset = rng.normal(size=n) if seed == 5 else None
    intercept = seed != 0
    result = sl.fit(
        X, y, loss=loss, penalty=penalty, sample_weight=weight, offset=offset, fit_intercept=intercept, tol=1e-9
    )
    best = by_linear_programming(X, y, *ends(loss, y), weight / weight.sum(), penalty, intercept, offset)
    certificate = result.certificate
    assert certificate.optimal
    assert certificate.value == pytest.approx(best, rel=1e-8, abs=1e-10)
    assert certificate.lower_bound <= best * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_agrees_with_svc(C):
    from sklearn.svm import SVC

    X, y = founding(200, 30, seed=3)
    svc = SVC(kernel="linear", C=C, tol=1e-10).fit(X, y)
    result = sl.fit(X, y, loss="hinge", C=C, tol=1e-10)
    assert result.certificate.optimal
    w, b = svc.coef_[0], svc.intercept_[0]
    theirs = np.maximum(0, 1 - (2 * y - 1) * (X @ w + b)).mean() + 0.5 * w @ w / (C * len(y))
    assert theirs >= result.certificate.lower_bound
    assert theirs == pytest.approx(result.certificate.value, rel=1e-6)
    assert np.allclose(result.weight[0].numpy(), w, atol=1e-4 * abs(w).max())


def test_agrees_with_quantile_regressor():
    from sklearn.linear_model import QuantileRegressor

    rng = np.random.default_rng(0)
    X = rng.normal(size=(83, 5))
    y = X @ rng.normal(size=5) + rng.standard_t(2, size=83)
    for quantile, alpha in ((0.5, 0.0), (0.2, 0.05), (0.9, 0.3)):
        theirs = QuantileRegressor(quantile=quantile, alpha=alpha).fit(X, y)
        penalty = L1(alpha) if alpha else None
        ours = sl.fit(X, y, loss=sl.Quantile(quantile), penalty=penalty, tol=1e-10)
        assert ours.certificate.optimal
        assert np.allclose(ours.weight[0].numpy(), theirs.coef_, atol=1e-8)
        assert float(ours.bias[0]) == pytest.approx(theirs.intercept_, abs=1e-8)


def test_two_points_and_fahrenheit():
    X = np.array([[3.0, 2.0], [1.0, 1.0]])
    exact = sl.fit(X, [1, 0], loss="hinge", penalty=L2(1e-3), tol=1e-12)
    assert np.allclose(exact.weight.numpy(), [[0.8, 0.4]], atol=1e-9)
    assert float(exact.bias[0]) == pytest.approx(-2.2, abs=1e-9)
    x = np.arange(-100.0, 100.0)[:, None]
    thermometer = sl.fit(x, (x[:, 0] > 32).astype(int), loss="hinge", penalty=L2(1e-8), tol=1e-10)
    assert thermometer.certificate.optimal
    assert float(thermometer.weight[0, 0]) == pytest.approx(2.0, abs=1e-6)
    assert float(thermometer.bias[0]) == pytest.approx(-65.0, abs=1e-4)


def test_separable_hinge_without_penalty_reaches_zero():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3))
    for tilt in (0, 5):
        result = sl.fit(X, (X[:, 0] + tilt * X[:, 1] > 0).astype(int), loss="hinge")
        assert result.certificate.optimal
        assert result.certificate.value == 0.0


def test_degenerate_targets_and_shapes():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 4))
    constant = sl.fit(X, np.full(30, 3.0), loss="quantile")
    assert constant.certificate.optimal
    assert constant.certificate.value == 0.0
    ties = sl.fit(np.ones((20, 1)) * np.arange(20)[:, None] % 3, np.arange(20.0) // 5, loss="quantile", tol=1e-9)
    assert ties.certificate.optimal
    more_columns = sl.fit(X[:4], [0, 1, 1, 0], loss="hinge", penalty=L2(0.1), tol=1e-9)
    assert more_columns.certificate.optimal
    deficient = sl.fit(np.hstack([X, X]), X[:, 0] + rng.normal(size=30), loss="quantile")
    assert deficient.certificate.verdict is sl.Verdict.NOT_UNIQUE
    assert torch.allclose(deficient.weight[0, :4], deficient.weight[0, 4:], atol=1e-7)
    perfect = sl.fit(X, X @ [1.0, 2.0, 3.0, 4.0] + 1, loss="quantile")
    assert perfect.certificate.optimal
    assert np.allclose(perfect.weight[0].numpy(), [1, 2, 3, 4], atol=1e-9)


def test_many_rows_are_sifted_to_the_same_optimum():
    rng = np.random.default_rng(3)
    n, p = 12_000, 12
    X = rng.normal(size=(n, p))
    z = X @ rng.normal(size=p)
    for loss, y in ((sl.Hinge(), z + rng.normal(size=n) > 1), (sl.Quantile(0.8), z + rng.standard_t(2, size=n))):
        for penalty in (NONE, L2(1e-4), L1(1e-3), ElasticNetPenalty(1e-3), Penalty(positive=True)):
            objective = Objective(sl.make_data(X, y, loss), loss, penalty)
            sifted = sl.solve(objective, tol=1e-9)
            whole = sl.solve(objective, solver=InteriorPoint(sift_rows=0), tol=1e-9)
            assert sifted.certificate.optimal
            assert whole.certificate.optimal
            assert sifted.certificate.value == pytest.approx(whole.certificate.value, rel=2e-9)


def test_sorted_rows_and_rare_classes_are_sifted_too():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(9000, 5))
    z = X @ rng.normal(size=5) + rng.normal(size=9000)
    order = np.argsort(z)
    for share in (0.5, 0.002):
        y = z > np.quantile(z, 1 - share)
        plain = sl.fit(X, y, loss="hinge", penalty=L2(1e-3), tol=1e-9)
        ordered = sl.fit(X[order], y[order], loss="hinge", penalty=L2(1e-3), tol=1e-9)
        assert plain.certificate.optimal
        assert ordered.certificate.value == pytest.approx(plain.certificate.value, rel=1e-8)


def test_sparse_equals_dense():
    X = scipy.sparse.random_array((400, 30), density=0.1, rng=np.random.default_rng(5), format="csr")
    rng = np.random.default_rng(6)
    y = X @ rng.normal(size=30) + 0.1 * rng.normal(size=400)
    for loss, target in (("hinge", y > 0), ("quantile", y), ("huber", y)):
        for penalty in (L2(1e-3), L1(1e-3)):
            a = sl.fit(X, target, loss=loss, penalty=penalty, tol=1e-9).certificate
            b = sl.fit(X.toarray(), target, loss=loss, penalty=penalty, tol=1e-9).certificate
            assert a.optimal
            assert a.value == pytest.approx(b.value, rel=1e-8)


def test_many_columns():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(60, 800))
    y = X[:, :5] @ rng.normal(size=5) + 0.1 * rng.normal(size=60)
    for loss, target in (("hinge", y > 0), ("quantile", y)):
        for penalty in (L2(0.05), L1(0.05), ElasticNetPenalty(0.05)):
            certificate = sl.fit(X, target, loss=loss, penalty=penalty).certificate
            assert certificate.optimal, (loss, str(penalty), certificate)


@pytest.mark.parametrize("delta", [0.01, 1.35, 50.0])
@pytest.mark.parametrize("penalty", [NONE, L2(1e-3), L1(0.01)], ids=str)
def test_huber(delta, penalty):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(150, 6))
    y = X @ rng.normal(size=6) + rng.standard_t(1.5, size=150)
    result = sl.fit(X, y, loss=sl.Huber(delta), penalty=penalty, tol=1e-10)
    assert result.certificate.optimal
    w, b = result.weight[0].double().requires_grad_(), result.bias.double().requires_grad_()
    z = torch.from_numpy(X) @ w + b
    loss = torch.nn.functional.huber_loss(z, torch.from_numpy(y), delta=delta)
    loss.backward()
    gradient = w.grad + penalty.l2 * w.detach()
    slack = penalty.subgradient_distance(w.detach(), w.grad) if penalty.l1 else gradient
    assert float(slack.abs().max()) < 1e-8
    assert float(b.grad.abs()) < 1e-8
    assert float(loss.detach()) + penalty.value(w.detach()) == pytest.approx(result.certificate.value, rel=1e-12)


def test_huber_far_from_its_quadratic_part():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(8000, 4))
    y = 1e3 + 1e3 * X @ rng.normal(size=4) + rng.standard_cauchy(size=8000)
    for penalty in (NONE, L2(1e-6)):
        assert sl.fit(X, y, loss=sl.Huber(1e-3), penalty=penalty).certificate.optimal


def test_squared_hinge_with_few_active_rows():
    rng = np.random.default_rng(10)
    X = rng.normal(size=(50, 8))
    y = X[:, 0] + 0.5 * rng.normal(size=50) > 0
    for penalty in (NONE, L2(1e-2), L2(1e-8)):
        certificate = sl.fit(X, y, loss="squared_hinge", penalty=penalty).certificate
        assert certificate.optimal
    assert sl.fit(X, X[:, 0] > 0, loss="squared_hinge").certificate.optimal


def test_solver_says_what_it_is_not_for():
    with pytest.raises(ValueError, match="hinge, quantile and Huber's loss"):
        sl.fit(np.eye(4), [0, 1, 0, 1], loss="logistic", solver="interior_point")


# ---------------------------------------------------------------------------------------------------------- bounds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["hinge", "quantile", "huber", "squared_hinge"]), st.integers(0, 3))
def test_no_dual_point_is_above_the_optimum(seed, name, kind):
    """Whatever θ is handed in, the lower bound is one."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(4, 30)), int(rng.integers(1, 5))
    X = rng.normal(size=(n, p))
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    if name in ("hinge", "squared_hinge"):
        y = np.where(y > np.median(y), 1, -1)
    penalty = (NONE, L2(0.01), L1(0.01), Penalty(positive=True))[kind]
    loss = as_loss(name)
    objective = Objective(sl.make_data(X, y, loss), loss, penalty, bool(seed % 2))
    best = sl.solve(objective, tol=1e-8)
    w = best.weights
    scores = objective.scores(w)
    for noise in (0.0, 1e-9, 1e-3, 1.0):
        theta = loss.gradient(scores, objective.data.y) + noise * torch.from_numpy(rng.normal(size=n))
        assert dual_value(objective, w, theta) <= best.certificate.value * (1 + 1e-13) + 1e-15
    near = Weights(w.coef + 1e-4, w.intercept)
    value = objective.value(near)
    if math.isfinite(value):
        gap = duality_gap(objective, near, value, loss.gradient(objective.scores(near), objective.data.y)).gap
        assert gap >= (value - best.certificate.value) - best.certificate.gap - 1e-14


# ----------------------------------------------------------------------------------------------------- invariances

problems = st.tuples(st.integers(0, 10**6), st.sampled_from(["hinge", "quantile", "huber"]), st.integers(0, 2))


def draw(problem):
    seed, loss, kind = problem
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(8, 40)), int(rng.integers(1, 6))
    X = rng.normal(size=(n, p))
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    if loss == "hinge":
        y = (y > np.median(y)).astype(int)
    return X, y, {"loss": loss, "penalty": (None, L2(0.01), L1(0.01))[kind], "tol": 1e-11}, rng


@settings(max_examples=25, deadline=None)
@given(problems)
def test_row_order(problem):
    X, y, options, rng = draw(problem)
    order = rng.permutation(len(y))
    a, b = sl.fit(X, y, **options).certificate, sl.fit(X[order], y[order], **options).certificate
    assert a.optimal
    assert a.value == pytest.approx(b.value, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(problems)
def test_weight_is_copies(problem):
    X, y, options, rng = draw(problem)
    k = rng.integers(1, 4, size=len(y))
    a = sl.fit(X, y, sample_weight=k, **options).certificate
    b = sl.fit(np.repeat(X, k, 0), np.repeat(y, k), **options).certificate
    assert a.value == pytest.approx(b.value, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(problems)
def test_label_swap(problem):
    X, y, options, _ = draw(problem)
    swapped = 1 - y if options["loss"] == "hinge" else -y
    a, b = sl.fit(X, y, **options).certificate, sl.fit(X, swapped, **options).certificate
    assert a.value == pytest.approx(b.value, rel=1e-9, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(problems)
def test_rescaled_columns(problem):
    X, y, options, rng = draw(problem)
    options["penalty"] = None
    scale = 10.0 ** rng.integers(-8, 8, size=X.shape[1])
    a, b = sl.fit(X, y, **options).certificate, sl.fit(X * scale, y, **options).certificate
    assert a.value == pytest.approx(b.value, rel=1e-8, abs=1e-10)
