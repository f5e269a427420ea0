"""L1, elastic net and sign constraints against closed forms, scikit-learn, SciPy and the optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import sklearn.linear_model
import threadpoolctl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.losses import Huber, Loss, as_loss
from sightline.objective import Objective, Weights
from sightline.penalties import Penalty
from sightline.solvers import hessians
from sightline.solvers.l1_quadratic import DenseHessian, L1Quadratic
from sightline.solvers.proximal import Proximal

LOSSES = ("squared", "logistic", "softmax", "squared_hinge", "huber", "poisson")
PENALTIES = {
    "l1": lambda s: Penalty(l1=s),
    "elastic net": lambda s: Penalty(l1=s / 2, l2=s / 2),
    "l1, positive": lambda s: Penalty(l1=s, positive=True),
    "l2, positive": lambda s: Penalty(l2=s, positive=True),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices this small gain nothing from threads that wait for each other."""
    with threadpoolctl.threadpool_limits(1):
        yield


def make(loss: str, n: int = 60, p: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = X[:, 0] - 0.5 * X[:, p // 2] + 0.5 * rng.standard_normal(n)
    if loss in ("logistic", "squared_hinge"):
        return X, (z > 0).astype(int)
    if loss == "softmax":
        return X, np.digitize(z, [-0.7, 0.7])
    if loss == "poisson":
        return X, rng.poisson(np.exp(np.clip(z, -3, 2))).astype(float)
    return X, 3 * z + 5


def problem(X, y, loss: str | Loss, penalty: Penalty, intercept: bool = True, **rows) -> Objective:
    loss = as_loss(loss)
    return Objective(sl.make_data(X, y, loss, **rows), loss, penalty, intercept)


def critical(objective: Objective) -> float:
    """The L1 strength from which on all coefficients are zero (without factors)."""
    z = objective.zeros()
    fitted = sl.solve(
        Objective(objective.data, objective.loss, Penalty(l1=1e6 * (1 + objective.null_value)), objective.intercept)
    )
    gradient = objective.evaluate(Weights(z.coef, fitted.weights.intercept)).loss_gradient
    return float(gradient.abs().max())


def losses(objective: Objective, z: torch.Tensor) -> torch.Tensor:
    """Loss of each row, such that automatic differentiation gets through."""
    if objective.loss.name == "softmax":
        return torch.nn.functional.cross_entropy(z, objective.data.y, reduction="none")
    return objective.loss.value(z, objective.data.y)


def kkt(objective: Objective, weights: Weights) -> float:
    """Largest violation of the optimality conditions, by automatic differentiation of the loss alone."""
    coef = weights.coef.clone().requires_grad_()
    intercept = weights.intercept.clone().requires_grad_()
    data, penalty = objective.data, objective.penalty
    z = data.design.to_dense() @ coef + intercept
    if data.offset is not None:
        z = z + (data.offset if z.ndim == 1 else data.offset[:, None])
    weight = torch.ones(data.n, dtype=torch.float64) if data.weight is None else data.weight
    share = weight / weight.sum()
    (share * losses(objective, z)).sum().backward()
    f = torch.ones(objective.p, dtype=torch.float64) if penalty.factors is None else penalty.factors
    f = f if coef.ndim == 1 else f[:, None]
    w, g = weights.coef, coef.grad + penalty.l2 * f**2 * weights.coef
    below = (-g if penalty.positive else g.abs()) - penalty.l1 * f
    worst = torch.where(w == 0, below.clamp(min=0), (g + penalty.l1 * f * torch.sign(w)).abs()).max()
    if objective.intercept:
        worst = torch.maximum(worst, intercept.grad.abs().max())
    assert not (penalty.positive and bool((w < 0).any()))
    return float(worst)


def solved(objective: Objective, tol: float = 1e-6, **options):
    solution = sl.solve(objective, solver="proximal", tol=tol, **options)
    assert solution.certificate.verdict is sl.Verdict.OPTIMAL, solution.certificate
    return solution


# ------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_optimality_conditions(loss, penalty, intercept):
    X, y = make(loss)
    for over in (1.5, 10, 1000):
        base = problem(X, y, loss, Penalty(), intercept)
        objective = problem(X, y, loss, PENALTIES[penalty](critical(base) / over), intercept)
        solution = solved(objective, tol=1e-11)
        assert kkt(objective, solution.weights) < 1e-7 * max(1.0, base.null_value)


@pytest.mark.parametrize("shape", [(40, 300), (30, 1), (300, 4), (200, 150)])
@pytest.mark.parametrize("loss", LOSSES)
def test_shapes(loss, shape):
    X, y = make(loss, *shape)
    objective = problem(X, y, loss, Penalty())
    objective = problem(X, y, loss, Penalty(l1=critical(objective) / 20))
    solution = solved(objective, tol=1e-10)
    assert kkt(objective, solution.weights) < 1e-6 * max(1.0, objective.null_value)


@pytest.mark.parametrize("loss", LOSSES)
def test_sparse_matrix_weights_and_offset(loss):
    X, y = make(loss, 120, 200)
    X = np.where(np.random.default_rng(1).random(X.shape) < 0.2, X, 0.0)
    rng = np.random.default_rng(2)
    rows = {"sample_weight": rng.integers(1, 4, len(y)), "offset": rng.standard_normal(len(y))}
    strength = critical(problem(X, y, loss, Penalty(), **rows)) / 15
    dense = problem(X, y, loss, Penalty(l1=strength), **rows)
    sparse = problem(scipy.sparse.csr_array(X), y, loss, Penalty(l1=strength), **rows)
    a, b = solved(dense, tol=1e-11), solved(sparse, tol=1e-11)
    assert a.certificate.value == pytest.approx(b.certificate.value, rel=1e-10)
    assert kkt(sparse, b.weights) < 1e-6 * max(1.0, sparse.null_value)


# ------------------------------------------------------------------------------------------------- references


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("intercept", [True, False])
def test_scikit_learn_lasso_and_elastic_net(intercept, ratio):
    X, y = make("squared", 80, 50)
    reference = sklearn.linear_model.ElasticNet(
        alpha=0.1, l1_ratio=ratio, fit_intercept=intercept, tol=1e-14, max_iter=10**6
    ).fit(X, y)
    objective = problem(X, y, "squared", Penalty(l1=0.1 * ratio, l2=0.1 * (1 - ratio)), intercept)
    weights = solved(objective, tol=1e-13).weights
    np.testing.assert_allclose(weights.coef, reference.coef_, atol=1e-6)
    assert float(weights.intercept) == pytest.approx(reference.intercept_, abs=1e-6)
    assert set(np.flatnonzero(weights.coef.numpy())) == set(np.flatnonzero(np.abs(reference.coef_) > 1e-12))


def test_scikit_learn_logistic():
    X, y = make("logistic", 100, 30)
    reference = sklearn.linear_model.LogisticRegression(
        l1_ratio=1, C=0.5, solver="saga", tol=1e-12, max_iter=100_000
    ).fit(X, y)
    solution = solved(problem(X, y, "logistic", Penalty(l1=1 / (0.5 * 100))), tol=1e-12)
    np.testing.assert_allclose(solution.weights.coef, reference.coef_[0], atol=1e-6)


def test_several_targets_are_so_many_lassos():
    X, y = make("squared", 70, 40)
    Y = np.stack([y, y[::-1], np.sin(y)], 1)
    together = solved(problem(X, Y, "squared", Penalty(l1=0.05)), tol=1e-12).weights
    for k in range(3):
        alone = solved(problem(X, Y[:, k].copy(), "squared", Penalty(l1=0.05)), tol=1e-12).weights
        np.testing.assert_allclose(together.coef[:, k], alone.coef, atol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["plain", "nonnegative columns", "doubled columns", "nothing helps"])
def test_nonnegative_least_squares(kind, intercept):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 25))
    y = X[:, :5].sum(1) + rng.standard_normal(60)
    if kind == "nonnegative columns":
        X = np.abs(rng.standard_normal((60, 200)))
    if kind == "doubled columns":
        X = np.concatenate([X, X], 1)
    if kind == "nothing helps":
        X = np.abs(X) * (-np.sign(y - y.mean() * intercept))[:, None]
        X = X - X.mean(0) if intercept else X
    objective = problem(X, y, "squared", Penalty(positive=True), intercept)
    A, b = (X - X.mean(0), y - y.mean()) if intercept else (X, y)
    _, residual = scipy.optimize.nnls(A, b, maxiter=10_000)
    solution = solved(objective, tol=1e-9)
    best = 0.5 * residual**2 / len(y)
    assert solution.certificate.lower_bound <= best + 1e-12
    assert solution.certificate.value <= best * (1 + 1e-9) + 1e-12
    if kind == "nothing helps":
        assert not bool(solution.weights.coef.any())


def test_orthonormal_columns_are_soft_thresholded():
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((50, 8)))
    X = Q * np.sqrt(50)
    y = X @ np.array([3.0, -2, 1, 0.5, -0.05, 0.01, 0, 0])
    weights = solved(problem(X, y, "squared", Penalty(l1=0.2), intercept=False), tol=1e-13).weights
    np.testing.assert_allclose(weights.coef, [2.8, -1.8, 0.8, 0.3, 0, 0, 0, 0], atol=1e-13)
    assert int((weights.coef == 0).sum()) == 4


# ------------------------------------------------------------------------------------------------------ edges


@pytest.mark.parametrize("loss", LOSSES)
def test_zero_from_the_critical_strength_on(loss):
    X, y = make(loss)
    limit = critical(problem(X, y, loss, Penalty()))
    above = solved(problem(X, y, loss, Penalty(l1=limit * (1 + 1e-9))), tol=1e-12)
    below = solved(problem(X, y, loss, Penalty(l1=limit * (1 - 1e-3))), tol=1e-12)
    assert not bool(above.weights.coef.any())
    assert 1 <= int((below.weights.coef != 0).sum()) <= 3


@pytest.mark.parametrize("loss", LOSSES)
def test_doubled_and_constant_columns(loss):
    X, y = make(loss)
    strength = critical(problem(X, y, loss, Penalty())) / 30
    alone = solved(problem(X, y, loss, Penalty(l1=strength)), tol=1e-11)
    more = np.concatenate([X, X, -X, np.ones((len(y), 1)), np.zeros((len(y), 1))], 1)
    both = solved(problem(more, y, loss, Penalty(l1=strength)), tol=1e-11)
    assert both.certificate.value == pytest.approx(alone.certificate.value, rel=1e-10)


@pytest.mark.parametrize("loss", ["logistic", "softmax", "squared_hinge"])
def test_separable(loss):
    X, _ = make(loss, 40, 200)
    y = (X[:, 0] > 0).astype(int) + (X[:, 0] > 1) * (loss == "softmax")
    objective = problem(X, y, loss, Penalty(l1=1e-4))
    assert kkt(objective, solved(objective, tol=1e-9).weights) < 1e-8


def test_scales_far_apart():
    X, y = make("logistic", 80, 30)
    scale = np.logspace(-100, 100, 30)
    factors = torch.from_numpy(scale)
    plain = solved(problem(X, y, "logistic", Penalty(l1=0.02)), tol=1e-11)
    # A column x·scale with penalty factor `scale` is the same problem: its coefficient is w / scale.
    scaled = solved(problem(X * scale, y, "logistic", Penalty(l1=0.02, factors=factors)), tol=1e-11)
    np.testing.assert_allclose(scaled.weights.coef.numpy() * scale, plain.weights.coef, atol=1e-8)


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_large_offset_of_the_target(loss):
    X, y = make(loss)
    penalty = Penalty(l1=0.05)
    a = solved(problem(X, y, loss, penalty), tol=1e-8).weights
    b = solved(problem(X, y + 1e8, loss, penalty), tol=1e-8).weights
    np.testing.assert_allclose(a.coef, b.coef, atol=1e-7)


def test_small_strength_reaches_least_squares():
    X, y = make("squared")
    weights = solved(problem(X, y, "squared", Penalty(l1=1e-11)), tol=1e-8).weights
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(len(y))]), y)[0]
    np.testing.assert_allclose(weights.coef, expected[:-1], atol=1e-9)


def test_warm_start_is_honoured():
    X, y = make("logistic", 100, 400)
    objective = problem(X, y, "logistic", Penalty(l1=0.03))
    first = solved(objective, tol=1e-10)
    again = solved(objective, tol=1e-10, start=first.weights)
    assert again.trace.gap[0] <= 1e-9
    assert len(again.trace) < len(first.trace)
    dense = Weights(torch.ones(400, dtype=torch.float64), torch.tensor(0.5, dtype=torch.float64))
    other = solved(objective, tol=1e-10, start=dense)
    np.testing.assert_allclose(other.weights.coef, first.weights.coef, atol=1e-7)


def test_float32_data():
    X, y = make("logistic", 100, 40)
    penalty = Penalty(l1=0.03)
    single = sl.fit(X.astype(np.float32), y, loss="logistic", penalty=penalty, tol=1e-5, solver="proximal")
    double = sl.fit(X, y, loss="logistic", penalty=penalty, solver="proximal")
    assert single.weight.dtype == torch.float32
    np.testing.assert_allclose(single.weight, double.weight, atol=1e-5)


def test_gap_falls_to_rounding():
    X, y = make("logistic", 200, 600)
    objective = problem(X, y, "logistic", Penalty(l1=0.01))
    gaps = [step.bound.gap / step.value for step in Proximal().steps(objective, objective.zeros())]
    assert min(gaps) < 1e-14
    assert len(gaps) < 30


def test_every_bound_holds():
    X, y = make("poisson", 80, 120)
    objective = problem(X, y, "poisson", Penalty(l1=0.02))
    steps = list(Proximal().steps(objective, objective.zeros()))
    best = min(step.value for step in steps)
    assert all(step.value - step.bound.gap <= best * (1 + 1e-14) for step in steps)


def test_refusals():
    X, y = make("logistic")
    with pytest.raises(ValueError, match="smooth loss"):
        sl.fit(X, y, loss="hinge", penalty="l1", strength=0.1, solver="proximal")
    factors = torch.zeros(20, dtype=torch.float64)
    assert "factors" in str(Proximal().refuses(problem(X, y, "logistic", Penalty(l1=1, factors=factors))))


# ------------------------------------------------------------------------------------------------- invariances


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), loss=st.sampled_from(LOSSES), penalty=st.sampled_from(sorted(PENALTIES)))
def test_row_order_copies_and_scales(seed, loss, penalty):
    rng = np.random.default_rng(seed)
    X, y = make(loss, 50, 12, seed)
    y[:3] = [0, 1, 2] if loss == "softmax" else [0, 1, 1]
    made = PENALTIES[penalty](0.3 * critical(problem(X, y, loss, Penalty())))
    copies = rng.integers(1, 4, len(y))
    a = solved(problem(X, y, loss, made, sample_weight=copies), tol=1e-12)
    order = rng.permutation(copies.sum())
    b = solved(problem(np.repeat(X, copies, 0)[order], np.repeat(y, copies)[order], loss, made), tol=1e-12)
    assert a.certificate.value == pytest.approx(b.certificate.value, rel=1e-10)
    scale = 10.0 ** rng.uniform(-3, 3, X.shape[1])
    factors = Penalty(made.l1, made.l2, made.positive, torch.from_numpy(scale))
    c = solved(problem(X * scale, y, loss, factors, sample_weight=copies), tol=1e-12)
    assert a.certificate.value == pytest.approx(c.certificate.value, rel=1e-10)


# ----------------------------------------------------------------------------------------------------- parts


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(1, 40), m=st.integers(1, 40), over=st.floats(1.01, 1e4),
    positive=st.booleans(), free=st.booleans(), doubled=st.booleans(),
)
def test_l1_quadratic(seed, n, m, over, positive, free, doubled):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, m))
    if doubled:
        X[:, m // 2 :] = X[:, : m - m // 2]
    H, c = X.T @ X / n, X.T @ rng.standard_normal(n) / n
    strengths = np.full(m, np.abs(c).max() / over)
    is_free = np.zeros(m, bool)
    if free and m > 1:
        is_free[-1], strengths[-1] = True, 0.0
    model = L1Quadratic(DenseHessian(H), strengths, is_free, positive)
    u = model.minimise(np.zeros(m), -c, rounds=1000)
    g = H @ u - c
    at_zero = np.maximum((-g if positive else np.abs(g)) - strengths, 0)
    violation = np.where(is_free, np.abs(g), np.where(u == 0, at_zero, np.abs(g + strengths * np.sign(u))))
    assert violation.max() < 1e-8 * np.abs(c).max()


@pytest.mark.parametrize("loss", ["logistic", "softmax", "squared", "huber"])
def test_products_in_place_of_matrices(loss, monkeypatch):
    X, y = make(loss, 60, 150)
    strength = critical(problem(X, y, loss, Penalty())) / 20
    for design in (X, scipy.sparse.csr_array(X)):
        objective = problem(design, y, loss, Penalty(l1=strength, l2=1e-3))
        expected = solved(objective, tol=1e-11)
        with monkeypatch.context() as patch:
            patch.setattr(hessians, "LARGEST", 5)
            patch.setattr("sightline.solvers.proximal_newton.LARGEST", 5)
            got = solved(objective, tol=1e-9)
        assert got.certificate.value == pytest.approx(expected.certificate.value, rel=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_hessians_agree_with_automatic_differentiation(loss, intercept):
    X, y = make(loss, 30, 6)
    objective = problem(X, y, loss, Penalty(l1=0.1), intercept)
    shape = objective.zeros()
    at = torch.randn(shape.flat().shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.3
    weights = shape.unflat(at)
    weights = weights if intercept else Weights(weights.coef, 0 * weights.intercept)
    now = objective.evaluate(weights)

    def value(vector):
        w = shape.unflat(vector)
        return losses(objective, objective.data.design.to_dense() @ w.coef + intercept * w.intercept).mean()

    full = torch.autograd.functional.hessian(value, at).numpy()
    outputs = list(range(objective.outputs or 1))
    mask = torch.rand((6, len(outputs)), generator=torch.Generator().manual_seed(1)) < 0.7
    entries = hessians.Entries.chosen(mask, outputs, intercept)
    flat = [7 * k + int(j) for k, index in enumerate(entries.index) for j in index]
    flat += [7 * k + 6 for k in outputs] if intercept else []
    expected = full[np.ix_(flat, flat)]
    rows = objective.loss.curvature(now.scores, objective.data.y)
    implicit = hessians.ImplicitHessian(objective, rows, entries, np.zeros(entries.size))
    x = np.random.default_rng(0).standard_normal(entries.size)
    np.testing.assert_allclose(implicit.product(x), expected @ x, atol=1e-12)
    np.testing.assert_allclose(implicit.diagonal, expected.diagonal(), atol=1e-12)
    dense = hessians.hessian_of(objective, rows, entries, np.zeros(entries.size), None)
    x[entries.starts[-1] :] = 0.0  # the softmax matrix is altered where all intercepts move together
    np.testing.assert_allclose(dense.product(x), expected @ x, atol=1e-12)


def test_huber_far_from_its_residuals():
    X, y = make("huber")
    objective = problem(X, 1e4 * y, Huber(delta=1.0), Penalty(l1=1e-3))
    assert kkt(objective, solved(objective, tol=1e-9).weights) < 1e-7
