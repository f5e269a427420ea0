"""Newton, sampled Newton and L-BFGS against SciPy, and against each other."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import torch

import sightline as sl
from sightline.losses import as_loss
from sightline.solvers.lbfgs import LBFGS
from sightline.solvers.newton import Newton
from sightline.solvers.sampled import SampledNewton
from sightline.trace import kept

SMOOTH = ["squared", "logistic", "squared_hinge", "huber", "poisson", "softmax"]


def rows(loss, n, p, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    z = X @ rng.standard_normal(p) / np.sqrt(p)
    y = {
        "softmax": lambda: (z[:, None] * [1.0, -1.0, 0.5] + rng.gumbel(size=(n, 3))).argmax(1),
        "logistic": lambda: z + rng.logistic(size=n) > 0,
        "squared_hinge": lambda: z + rng.logistic(size=n) > 0,
        "poisson": lambda: rng.poisson(np.exp(z)),
    }.get(loss, lambda: z + rng.standard_normal(n))()
    return X * scale, y


def reference(X, y, loss, l2, intercept):
    """The optimal value by SciPy's trust-region Newton method on the objective written out in NumPy."""
    n, p = X.shape
    A = np.hstack([X, np.ones((n, 1))]) if intercept else X
    lift = l2 * np.r_[np.ones(p), np.zeros(A.shape[1] - p)]
    t = 2.0 * np.asarray(y) - 1 if loss in ("logistic", "squared_hinge") else np.asarray(y, dtype=float)

    def parts(w):
        z = A @ w
        if loss == "squared":
            return 0.5 * (z - t) ** 2, z - t, np.ones(n)
        if loss == "logistic":
            q = 1 / (1 + np.exp(t * z))
            return np.logaddexp(0, -t * z), -t * q, q * (1 - q)
        if loss == "squared_hinge":
            m = np.maximum(0, 1 - t * z)
            return m**2, -2 * t * m, 2.0 * (m > 0)
        if loss == "poisson":
            return np.exp(z) - t * z + np.where(t > 0, t * np.log(np.maximum(t, 1)) - t, 0), np.exp(z) - t, np.exp(z)
        r = z - t
        c = np.clip(r, -1.35, 1.35)
        return c * (r - c / 2), c, 1.0 * (np.abs(r) <= 1.35)

    return scipy.optimize.minimize(
        lambda w: parts(w)[0].mean() + 0.5 * lift @ w**2,
        np.zeros(A.shape[1]),
        jac=lambda w: A.T @ parts(w)[1] / n + lift * w,
        hess=lambda w: (A.T * parts(w)[2]) @ A / n + np.diag(lift + 1e-14),
        method="trust-exact",
        options={"gtol": 1e-11},
    ).fun


@pytest.mark.parametrize("loss", [x for x in SMOOTH if x != "softmax"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", ["newton", "lbfgs", "auto"])
def test_against_scipy(loss, intercept, solver):
    X, y = rows(loss, 300, 5)
    result = sl.fit(X, y, loss=loss, penalty="l2", strength=0.01, fit_intercept=intercept, solver=solver, tol=1e-10)
    best = reference(X, y, loss, 0.01, intercept)
    assert result.certificate.verdict is sl.Verdict.OPTIMAL
    assert abs(result.certificate.value - best) <= 1e-9 * best


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "poisson", "huber"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_sampled_newton_equals_newton(loss, dtype, intercept):
    X, y = rows(loss, 20_000, 8, scale=10.0 ** np.linspace(-2, 2, 8))
    X = X.astype(dtype)
    tol = 1e-9 if dtype == np.float64 else 1e-6
    arguments = {"loss": loss, "penalty": "l2", "strength": 1e-4, "fit_intercept": intercept, "tol": tol}
    one = sl.fit(X, y, solver="sampled-newton", **arguments)
    two = sl.fit(X, y, solver="newton", **arguments)
    assert one.certificate.optimal and two.certificate.optimal
    assert abs(one.certificate.value - two.certificate.value) <= tol * two.certificate.value
    assert one.weight.dtype == torch.from_numpy(X).dtype


def test_sampled_newton_reads_the_data_a_few_times(monkeypatch):
    """Passes over all rows, the measure that does not depend on the machine."""
    from sightline.objective import Objective

    X, y = rows("logistic", 60_000, 10)
    passes = []
    evaluate = Objective.evaluate
    monkeypatch.setattr(Objective, "evaluate", lambda o, *a, **k: (passes.append(o.n), evaluate(o, *a, **k))[1])
    result = sl.fit(X, y, loss="logistic", C=1.0, solver="sampled-newton")
    assert result.certificate.optimal
    assert sum(n == 60_000 for n in passes) <= 6


def test_sampled_newton_on_a_sorted_file_with_rare_positives():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((40_000, 6))
    y = X[:, 0] + 0.5 * rng.logistic(size=40_000) > 4.5
    order = np.argsort(y, kind="stable")
    result = sl.fit(X[order], y[order], loss="logistic", C=1.0, solver="sampled-newton")
    assert result.certificate.verdict is sl.Verdict.OPTIMAL
    assert 0 < y.mean() < 0.01


@pytest.mark.parametrize("l2", [1e-6, 1e-2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_softmax_methods_agree(l2, dtype):
    X, y = rows("softmax", 400, 6)
    X = X.astype(dtype)
    values = [
        sl.fit(X, y, loss="softmax", penalty="l2", strength=l2, solver=s, tol=1e-7).certificate
        for s in ("newton", "lbfgs")
    ]
    assert all(c.optimal for c in values)
    assert abs(values[0].value - values[1].value) <= 1e-7 * values[0].value


def test_softmax_start_outside_the_gauge():
    X, y = rows("softmax", 200, 3)
    shifted = (np.ones((3, 3)) * 5, np.ones(3) * -2)
    one = sl.fit(X, y, loss="softmax", C=1.0, start=shifted)
    two = sl.fit(X, y, loss="softmax", C=1.0)
    assert one.certificate.optimal
    assert torch.allclose(one.weight, two.weight, atol=1e-6)


def test_sparse_equals_dense():
    rng = np.random.default_rng(0)
    X = scipy.sparse.random_array((500, 400), density=0.02, rng=rng, format="csr")
    y = X @ rng.standard_normal(400) + 0.1 * rng.standard_normal(500) > 0
    sparse = sl.fit(X, y, loss="logistic", C=1.0, tol=1e-9)
    dense = sl.fit(X.toarray(), y, loss="logistic", C=1.0, tol=1e-9)
    assert sparse.certificate.optimal and dense.certificate.optimal
    assert sparse.solver.startswith("lbfgs")
    # The penalty makes the objective strongly convex: |w - w*|² <= 2 gap / strength.
    far = sum((2 * r.certificate.gap * 500) ** 0.5 for r in (sparse, dense))
    assert float((sparse.weight - dense.weight).norm()) <= far


def test_wide():
    X, y = rows("logistic", 60, 2000)
    result = sl.fit(X, y, loss="logistic", C=0.01, tol=1e-8)
    again = sl.fit(X @ np.linalg.qr(X.T)[0], y, loss="logistic", C=0.01, tol=1e-8)  # the same in 60 columns
    assert result.certificate.optimal and again.certificate.optimal
    assert abs(result.certificate.value - again.certificate.value) <= 1e-8 * again.certificate.value


def test_several_targets_are_fitted_as_one_by_one():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 4))
    Y = X @ rng.standard_normal((4, 3)) + rng.standard_normal((50, 3))
    for solver in ("newton", "lbfgs", "auto"):
        together = sl.fit(X, Y, loss="squared", penalty="l2", strength=0.1, solver=solver, tol=1e-10)
        for k in range(3):
            alone = sl.fit(X, Y[:, k], loss="squared", penalty="l2", strength=0.1, tol=1e-10)
            assert torch.allclose(together.weight[k], alone.weight[0], atol=1e-5)


@pytest.mark.parametrize("solver", [Newton(), LBFGS(), SampledNewton()])
def test_refusals_are_one_sentence(solver):
    X, y = rows("logistic", 4000, 2)
    with pytest.raises(ValueError, match=f"solver '{solver.name}' needs .*; leave solver='auto'"):
        sl.fit(X, y, loss="logistic", penalty="l1", strength=0.1, solver=solver)


def test_unknown_solver_lists_those_there_are():
    with pytest.raises(ValueError, match="newton"):
        sl.fit(*rows("logistic", 40, 2), loss="logistic", solver="adam")


def test_trace_is_thinned_by_its_rule():
    assert all(kept(i) for i in range(65))
    assert not kept(65) and kept(66) and not kept(130) and kept(132)
    assert sum(kept(i) for i in range(1 << 12, 1 << 13)) == 32
    assert as_loss("logistic").name == "logistic"
