"""No fit says OPTIMAL that is not; extreme units, offsets and single precision; interruptions.

References are computed here, in extended precision (``longdouble``) or by SciPy, independently of the product.
"""

import signal
import threading
import time
import warnings

import numpy as np
import pytest
import scipy.optimize
import torch

import sightline as sl
from sightline.certificate import Verdict
from sightline.losses import as_loss

LD = np.longdouble
TOL = 1e-6
LOSSES = ["squared", "logistic", "softmax", "hinge", "squared_hinge", "huber", "poisson", "quantile"]


def losses(loss, z, y):
    """The loss of each row; z in extended precision, (n,) or (n, K)."""
    if loss == "softmax":
        top = z.max(1, keepdims=True)
        return (top[:, 0] + np.log(np.exp(z - top).sum(1))) - z[np.arange(len(y)), y]
    t = 2 * y - 1
    r = np.abs(z - y)
    positive = np.maximum(y, 1).astype(LD)
    return {
        "squared": lambda: r**2 / 2,
        "logistic": lambda: np.logaddexp(LD(0), -t * z),
        "hinge": lambda: np.maximum(0, 1 - t * z),
        "squared_hinge": lambda: np.maximum(0, 1 - t * z) ** 2,
        "huber": lambda: np.where(r <= LD(1.35), r**2 / 2, LD(1.35) * (r - LD(1.35) / 2)),
        "poisson": lambda: np.exp(z) - y * z + np.where(y > 0, y * np.log(positive) - y, 0),
        "quantile": lambda: r / 2,
    }[loss]()


def objective(loss, X, y, w, b, penalty, weight=None):
    """F in extended precision; w (K, p), b (K,)."""
    w, b = np.asarray(w).astype(LD), np.asarray(b).astype(LD)
    z = X.astype(LD) @ w.T + b
    s = np.ones(len(y), LD) if weight is None else weight.astype(LD)
    z = z if loss == "softmax" else z[:, 0]
    return (s * losses(loss, z, y)).sum() / s.sum() + penalty.l1 * np.abs(w).sum() + penalty.l2 * (w * w).sum() / 2


def newton(loss, X, y, l2):
    """Optimum of a ridge problem by Newton's method in extended precision: coefficients (1, p), intercept (1,)."""
    n, p = X.shape
    A = np.hstack([X.astype(LD), np.ones((n, 1), LD)])
    size = np.abs(A).max(0)
    A = A / size
    ridge = np.r_[l2 / size[:-1] ** 2, 0].astype(LD)
    u, t = np.zeros(p + 1, LD), (2 * y - 1).astype(LD)
    if loss == "poisson":
        u[-1] = np.log(LD(y.mean()))

    def parts(u):
        z = A @ u
        value = losses(loss, z, y).mean() + (ridge * u * u).sum() / 2
        if loss == "logistic":
            q = 1 / (1 + np.exp(t * z))
            return value, A.T @ (-t * q) / n + ridge * u, q * (1 - q)
        m = np.exp(z) if loss == "poisson" else z
        return value, A.T @ (m - y) / n + ridge * u, m if loss == "poisson" else np.ones(n, LD)

    value, gradient, d = parts(u)
    for _ in range(100):
        H = (A.T * d) @ A / n + np.diag(ridge)
        root = np.sqrt(np.diag(H))
        scaled, right = H / root[:, None] / root, -gradient / root
        inverse, x = np.linalg.inv(scaled.astype(float)), np.zeros(p + 1, LD)
        for _ in range(10):
            x = x + (inverse @ (right - scaled @ x).astype(float)).astype(LD)
        step = x / root
        slope, share = gradient @ step, LD(1)
        while parts(u + share * step)[0] > value + share * slope * LD(1e-4) + LD(1e-18) * value and share > 1e-12:
            share /= 2
        u = u + share * step
        value, gradient, d = parts(u)
        if -slope < LD(1e-26) * value:
            break
    u = u / size
    return u[None, :-1], u[-1:]


def random_problem(loss, seed):
    """Feature scales up to 1e±3, strengths from 1 to 1e-5, correlated columns."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(30, 200)), int(rng.integers(2, 12))
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.5 * rng.normal(size=(p, p)))
    z = X @ rng.normal(size=p) / np.sqrt(p) + rng.normal(size=n)
    y = z if loss == "squared" else (z > 0).astype(float)
    y = rng.poisson(np.exp(0.5 * z)).astype(float) if loss == "poisson" else y
    return X * 10.0 ** rng.uniform(-3, 3, p), y, 10.0 ** -rng.uniform(0, 5)


def check(result, loss, X, y, penalty, best, weight=None):
    """The verdict is true, and so is the gap, to the rounding of float64."""
    certificate = result.certificate
    value = objective(loss, X, y, result.weight.numpy(), result.bias.numpy(), penalty, weight)
    assert not (certificate.optimal and float(value - best) > TOL * max(float(abs(value)), 1e-15)), str(certificate)
    assert float(value - best) <= certificate.gap * (1 + 1e-9) + 1e-14 * float(value)
    return certificate


@pytest.mark.parametrize("loss", ["logistic", "poisson", "squared"])
def test_sixty_ridge_problems_against_extended_precision(loss):
    for seed in range(60):
        X, y, strength = random_problem(loss, seed)
        result = sl.fit(X, y, loss=loss, penalty="l2", strength=strength)
        best = objective(loss, X, y, *newton(loss, X, y, strength), sl.L2(strength))
        assert check(result, loss, X, y, sl.L2(strength), best).verdict is Verdict.OPTIMAL


def test_thirty_lasso_problems_against_scipy():
    for seed in range(30):
        loss = ["logistic", "squared", "poisson"][seed % 3]
        X, y, strength = random_problem(loss, seed)
        penalty = sl.L1(0.1 * strength)
        result = sl.fit(X, y, loss=loss, penalty=penalty)
        best = objective(loss, X, y, *halves(loss, X, y, penalty.l1), penalty)
        assert check(result, loss, X, y, penalty, best).verdict is Verdict.OPTIMAL


def halves(loss, X, y, l1):
    """The lasso as a smooth problem in the positive and negative parts, by L-BFGS-B."""
    p, size = X.shape[1], np.abs(X).max(0)
    A = X / size

    def f(v):
        u, b = v[:p] - v[p : 2 * p], v[-1]
        z = A @ u + b
        d = {"squared": lambda: z - y, "poisson": lambda: np.exp(z) - y}.get(
            loss, lambda: -(2 * y - 1) / (1 + np.exp((2 * y - 1) * z))
        )()
        g = A.T @ d / len(y)
        value = losses(loss, z, y).mean() + l1 * ((v[:p] + v[p : 2 * p]) / size).sum()
        return float(value), np.r_[g + l1 / size, -g + l1 / size, d.mean()]

    start = np.zeros(2 * p + 1)
    start[-1] = np.log(y.mean()) if loss == "poisson" else 0.0
    bounds = [(0, None)] * (2 * p) + [(None, None)]
    done = scipy.optimize.minimize(
        f, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14}
    )
    return ((done.x[:p] - done.x[p : 2 * p]) / size)[None], done.x[-1:]


def test_forty_support_vector_problems_against_a_linear_program():
    """Hinge with L1 is a linear program."""
    for seed in range(40):
        X, y, strength = random_problem("hinge", seed)
        n, p = X.shape
        size = np.abs(X).max(0)
        t = 2 * y - 1
        A = t[:, None] * np.hstack([X / size, -X / size, np.ones((n, 1)), -np.ones((n, 1))])
        cost = np.r_[np.tile(0.1 * strength / size, 2), 0, 0, np.full(n, 1 / n)]
        done = scipy.optimize.linprog(cost, A_ub=-np.hstack([A, np.eye(n)]), b_ub=-np.ones(n), bounds=(0, None))
        penalty = sl.L1(0.1 * strength)
        certificate = sl.fit(X, y, loss="hinge", penalty=penalty).certificate
        assert certificate.verdict is Verdict.OPTIMAL
        assert certificate.lower_bound - 1e-9 <= done.fun <= certificate.value + 1e-9


def wild(seed):
    """Condition to 1e12, more columns than rows, doubled, constant and far-off columns, uneven weights, separation."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 60)), int(rng.integers(1, 30))
    U = np.linalg.qr(rng.normal(size=(max(n, p), p)))[0][:n]
    X = (U * np.logspace(0, -rng.uniform(0, 12), p)) @ np.linalg.qr(rng.normal(size=(p, p)))[0] * np.sqrt(n)
    kind = seed % 5
    if kind == 1:
        X = np.hstack([X, X[:, :1], np.ones((n, 1))])
    elif kind == 2:
        X = np.round(2 * X)
    elif kind == 3:
        X = X + 10.0 ** rng.integers(0, 7)
    elif kind == 4:
        X[:, rng.integers(0, p)] = 0
    z = (X - X.mean(0)) @ rng.normal(size=X.shape[1]) + rng.choice([0, 0.1, 1, 3]) * rng.normal(size=n)
    weight = rng.choice([1e-3, 1.0, 5.0, 1e3], n) if rng.random() < 0.3 else None
    loss = LOSSES[int(rng.integers(0, 8))]
    y = z
    if loss == "softmax":
        y = np.digitize(z, np.quantile(z, [0.3, 0.7]))
        y[:3] = [0, 1, 2]
    elif loss == "poisson":
        y = rng.poisson(np.exp(np.clip(z, -5, 3))).astype(float)
    elif loss in ("logistic", "hinge", "squared_hinge"):
        y = (z > 0).astype(float)
        y[:2] = [0, 1]
    strength = 10.0 ** -rng.uniform(0, 6)
    penalty = [sl.Penalty(), sl.L2(strength), sl.L1(strength), sl.ElasticNetPenalty(strength, 0.5)][rng.integers(0, 4)]
    return loss, X, y, weight, penalty


def test_wild_problems_are_never_called_optimal_wrongly():
    """The answer is attacked by SciPy's minimiser from where it is; whatever goes lower refutes it."""
    ended = {}
    for seed in range(120):
        loss, X, y, weight, penalty = wild(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", sl.ConvergenceWarning)
            result = sl.fit(X, y, loss=loss, penalty=penalty, sample_weight=weight, time_limit=10)
        verdict = result.certificate.verdict
        ended[verdict] = ended.get(verdict, 0) + 1
        if not result.certificate.optimal:
            continue
        shift, size = X.mean(0), np.abs(X - X.mean(0)).max(0)
        size[size < 1e-300] = 1.0
        w, b = result.weight.numpy(), result.bias.numpy()
        data = sl.make_data((X - shift) / size, y, as_loss(loss), sample_weight=weight)
        problem = sl.Objective(data, as_loss(loss), penalty.scaled(torch.from_numpy(size)))
        like = problem.zeros()
        coef, bias = torch.from_numpy((w * size).T), torch.from_numpy(b + w @ shift)
        start = sl.Weights(coef.reshape(like.coef.shape), bias.reshape(like.intercept.shape))

        def f(v, problem=problem, like=like):
            at = like.unflat(torch.from_numpy(v))
            now = problem.evaluate(at)
            slope = now.gradient.coef
            if problem.penalty.l1:
                slope = slope + problem.penalty.l1_strengths(slope) * torch.sign(at.coef)
            return now.value, sl.Weights(slope, now.gradient.intercept).flat().numpy()

        done = scipy.optimize.minimize(f, start.flat().numpy(), jac=True, method="L-BFGS-B", options={"maxiter": 300})
        value = objective(loss, X, y, w, b, penalty, weight)
        fallen = f(start.flat().numpy())[0] - done.fun
        assert fallen <= TOL * result.certificate.scale * (1 + 1e-6), (seed, loss, str(result.certificate))
        # The certificate speaks of the very weights that are delivered.
        assert abs(float(value) - result.certificate.value) <= 0.1 * TOL * max(result.certificate.scale, 1e-13), seed
    assert ended[Verdict.OPTIMAL] + ended.get(Verdict.NOT_UNIQUE, 0) + ended.get(Verdict.NO_MINIMUM, 0) >= 110, ended


# ----------------------------------------------------------------------------------------------- units and precision


def plain(loss):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(80, 4))
    z = X @ np.array([1, -1, 0.5, 0.2]) + 1.2 * rng.normal(size=80)
    if loss in ("logistic", "hinge", "squared_hinge"):
        return X, (z > 0).astype(int)
    return X, {"poisson": rng.poisson(np.exp(0.4 * z)), "softmax": np.digitize(z, [-0.7, 0.7])}.get(loss, z)


def apart(one, two):
    return float((one - two).abs().max())


@pytest.mark.parametrize("loss", LOSSES)
def test_scales_of_1e150(loss):
    X, y = plain(loss)
    scales = np.array([1e150, 1, 1e-150, 1e75])
    one, two = sl.fit(X, y, loss=loss), sl.fit(X * scales, y, loss=loss)
    assert two.certificate.optimal and apart(one.scores(X), two.scores(X * scales)) < 1e-8
    for factor in (1e150, 1e-150):
        one = sl.fit(X, y, loss=loss, penalty=sl.Penalty(l1=1e-3, l2=1e-2))
        two = sl.fit(X * factor, y, loss=loss, penalty=sl.Penalty(l1=1e-3 * factor, l2=1e-2 * factor**2))
        assert two.certificate.optimal and apart(one.scores(X), two.scores(X * factor)) < 1e-8


@pytest.mark.parametrize("loss", LOSSES)
def test_offsets_of_1e8(loss):
    """As good as the shifted data allow: they hold eight digits of what is beside the offset."""
    X, y = plain(loss)
    moved = X + 1e8
    one, two = sl.fit(moved - 1e8, y, loss=loss), sl.fit(moved, y, loss=loss)
    assert two.certificate.optimal
    assert apart(one.weight, two.weight) < 1e-8
    assert apart(one.scores(moved - 1e8), two.scores(moved)) < 1e-6


@pytest.mark.parametrize("loss", LOSSES)
def test_single_precision_is_certified_as_it_is_delivered(loss):
    X, y = plain(loss)
    single = torch.from_numpy(X).float()
    for penalty in (sl.Penalty(), sl.L2(0.1)):
        result = sl.fit(single, y, loss=loss, penalty=penalty)
        assert result.weight.dtype == torch.float32 and result.certificate.optimal
        value = objective(loss, single.numpy(), y, result.weight.numpy(), result.bias.numpy(), penalty)
        assert abs(float(value) - result.certificate.value) < 1e-13
        best = sl.fit(single.double(), y, loss=loss, penalty=penalty, tol=1e-10).certificate
        assert result.certificate.gap >= result.certificate.value - best.value - 1e-13


def test_what_cannot_be_represented_is_refused_or_unfinished_but_never_wrong():
    X, y = plain("squared")
    with pytest.raises(sl.DataError, match="infinity"):
        sl.fit(X * np.array([np.inf, 1, 1, 1]), y, loss="squared")
    with pytest.raises(sl.DataError, match="row 3"):
        sl.fit(X, np.where(np.arange(80) == 3, np.nan, y), loss="squared")


# ---------------------------------------------------------------------------------------------------- interruptions


def slow_problem():
    """A fit that takes long enough to be interrupted: many classes and columns, solved to the last digit."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 80))
    return X, (X @ rng.normal(size=(80, 12)) + 3 * rng.normal(size=(3000, 12))).argmax(1)


def dawdle(number, step):
    """Fast machines would be done before they are interrupted."""
    time.sleep(0.03)


def allowed(X, y):
    """Half a second, and some passes over the data for machines on which they are slow."""
    problem = sl.Objective(sl.make_data(X, y, sl.Softmax()), sl.Softmax())
    passes = []
    for _ in range(3):
        begun = time.perf_counter()
        problem.evaluate(problem.zeros())
        passes.append(time.perf_counter() - begun)
    return 0.5 + 20 * max(passes)


def ended_early(result, verdict):
    certificate = result.certificate
    assert certificate.verdict is verdict and np.isfinite(certificate.gap)
    assert bool(torch.isfinite(result.weight).all())
    return certificate


@pytest.mark.parametrize("loss", LOSSES)
def test_ctrl_c_in_a_callback(loss):
    X, y = plain(loss)

    def interrupt(number, step):
        if number == 1:
            raise KeyboardInterrupt

    best = sl.fit(X, y, loss=loss, penalty="l2", strength=1e-3, tol=1e-9).certificate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.ConvergenceWarning)
        result = sl.fit(X, y, loss=loss, penalty="l2", strength=1e-3, tol=1e-15, callback=interrupt, max_iter=50)
    certificate = result.certificate
    assert certificate.verdict in (Verdict.INTERRUPTED, Verdict.OPTIMAL, Verdict.INACCURATE)
    assert np.isfinite(certificate.gap) and certificate.lower_bound <= best.value * (1 + 1e-12)


@pytest.mark.parametrize("after", [0.3])
def test_ctrl_c_by_signal(after):
    X, y = slow_problem()
    most = allowed(X, y)
    at = []

    def send():
        at.append(time.perf_counter())
        signal.raise_signal(signal.SIGINT)

    timer = threading.Timer(after, send)
    timer.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sl.ConvergenceWarning)
        result = sl.fit(X, y, loss="softmax", penalty="l2", strength=1e-6, tol=1e-300, callback=dawdle)
    late = time.perf_counter() - at[0]
    timer.join()
    ended_early(result, Verdict.INTERRUPTED)
    assert late < most


@pytest.mark.parametrize("limit", [0.05, 0.5])
def test_time_limit(limit):
    X, y = slow_problem()
    most = allowed(X, y)
    begun = time.perf_counter()
    with pytest.warns(sl.ConvergenceWarning, match="INACCURATE"):
        result = sl.fit(
            X, y, loss="softmax", penalty="l2", strength=1e-6, tol=1e-300, time_limit=limit, callback=dawdle
        )
    assert time.perf_counter() - begun < limit + most
    ended_early(result, Verdict.INACCURATE)
    assert "time_limit" in result.solver


def test_max_iter_and_a_callback_that_stops():
    X, y = plain("logistic")
    with pytest.warns(sl.ConvergenceWarning, match="INACCURATE"):
        result = sl.fit(X, y, loss="logistic", penalty="l2", strength=1e-3, max_iter=1)
    ended_early(result, Verdict.INACCURATE)
    with pytest.warns(sl.ConvergenceWarning, match="INTERRUPTED"):
        result = sl.fit(X, y, loss="logistic", penalty="l2", strength=1e-3, callback=lambda number, step: number == 1)
    ended_early(result, Verdict.INTERRUPTED)
