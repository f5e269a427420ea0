"""The driver: every fit ends in a true verdict, stops when told to, and records what happened."""

import math
import signal
import threading
import time
import warnings

import numpy as np
import pytest
import torch

import sightline as sl

LOSSES = ["squared", "logistic", "softmax", "hinge", "squared_hinge", "huber", "poisson", "quantile"]


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    return X, (X[:, 0] + rng.standard_normal(80) > 0).astype(int)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", [None, "l2", "l1", "elasticnet"])
@pytest.mark.parametrize("intercept", [True, False])
def test_every_loss_with_every_penalty(rows, loss, penalty, intercept):
    X, y = rows
    strength = None if penalty is None else 0.02
    result = sl.fit(X, y, loss=loss, penalty=penalty, strength=strength, fit_intercept=intercept)
    c = result.certificate
    assert c.verdict is sl.Verdict.OPTIMAL
    assert 0 <= c.gap <= c.tol * c.scale
    assert c.lower_bound <= c.value
    assert result.weight.shape == ((2, 3) if loss == "softmax" else (1, 3))
    if not intercept:
        assert not result.bias.any()


@pytest.mark.parametrize("loss", [x for x in LOSSES if x != "squared"])  # least squares are done in a step
def test_stopped_by_max_iter_is_inaccurate_with_the_gap(rows, loss):
    X, y = rows
    with pytest.warns(sl.ConvergenceWarning, match="INACCURATE"):
        result = sl.fit(
            X, y, loss=loss, penalty="elasticnet", strength=1e-4, max_iter=1, tol=1e-14, solver="auto",
            start=(np.full((2 if loss == "softmax" else 1, 3), 3.0), np.zeros(2 if loss == "softmax" else 1)),
        )
    assert result.certificate.verdict is sl.Verdict.INACCURATE
    assert result.n_iter <= 1


def test_callback_stops(rows):
    X, y = rows
    seen = []

    def stop_at_two(number, step):
        seen.append(step.value)
        return number == 2

    result = sl.fit(X, y, loss="logistic", C=1.0, callback=stop_at_two, warn=False)
    assert result.certificate.verdict is sl.Verdict.INTERRUPTED
    assert len(seen) == 3 and len(result.trace) == 3
    assert result.certificate.value == pytest.approx(min(seen))


def test_ctrl_c_returns_the_best_so_far():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 300))
    y = (X[:, :5] @ np.ones(5) + rng.gumbel(size=(3, 4000))).argmax(0)
    timer = threading.Timer(0.6, signal.raise_signal, (signal.SIGINT,))
    slow = threading.Event()

    def patient(number, step):
        slow.wait(0.05)

    timer.start()
    begun = time.perf_counter()
    result = sl.fit(X, y, loss="softmax", penalty="l2", strength=1e-9, tol=1e-13, callback=patient, warn=False)
    timer.cancel()
    assert result.certificate.verdict is sl.Verdict.INTERRUPTED
    assert time.perf_counter() - begun < 5
    assert result.certificate.value < math.log(3)


def test_time_limit(rows):
    X, y = rows
    result = sl.fit(
        X, y, loss="logistic", C=1.0, time_limit=0.05, callback=lambda i, s: time.sleep(0.06), warn=False, tol=1e-13
    )
    assert result.certificate.verdict is sl.Verdict.INACCURATE
    assert "time_limit" in result.solver


def test_warning_exactly_when_not_optimal(rows):
    X, y = rows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sl.fit(X, y, loss="logistic", C=1.0)
        sl.fit(np.hstack([X, X]), y, loss="logistic")  # NOT_UNIQUE is benign
        sl.fit(X, X[:, 0] > 0, loss="logistic", warn=False)
    with pytest.warns(sl.ConvergenceWarning, match="NO_MINIMUM"):
        sl.fit(X, X[:, 0] > 0, loss="logistic")


@pytest.mark.parametrize("loss", ["squared", "logistic", "huber", "poisson", "hinge", "quantile", "squared_hinge"])
def test_dependent_columns_give_the_smallest_solution(rows, loss):
    X, y = rows
    doubled = sl.fit(np.hstack([X, 2 * X, np.ones((80, 1))]), y, loss=loss, tol=1e-10)
    single = sl.fit(X, y, loss=loss, tol=1e-10)
    assert doubled.certificate.verdict is sl.Verdict.NOT_UNIQUE
    assert (doubled.certificate.witness.rank, doubled.certificate.witness.columns) == (3, 7)
    w = doubled.weight[0]
    # Of all (a, b) with a + 2 b = w the smallest is (w, 2 w) / 5, and a constant column beside an intercept gets 0.
    assert torch.allclose(2 * w[:3], w[3:6], atol=1e-9)
    assert float(w[6].abs()) < 1e-9
    if loss not in ("hinge", "quantile"):
        assert torch.allclose(5 * w[:3], single.weight[0], rtol=1e-6, atol=1e-8)
    assert doubled.certificate.value == pytest.approx(single.certificate.value, rel=1e-9)


def test_trace_and_solver_are_told(rows):
    X, y = rows
    result = sl.fit(X, y, loss="logistic", C=1.0)
    assert "newton" in result.solver and ":" in result.solver
    assert len(result.trace) == result.n_iter + 1
    assert all(a <= b for a, b in zip(result.trace.seconds, result.trace.seconds[1:], strict=False))
    assert result.trace.value[-1] <= result.trace.value[0]
    step, last = result.trace.weights[-1]
    assert step == result.n_iter
    assert torch.allclose(last.coef, result.weight[0], atol=1e-9)


def test_same_data_same_bits(rows):
    X, y = rows
    for loss in LOSSES:
        one, two = (sl.fit(X, y, loss=loss, penalty="l2", strength=0.1) for _ in range(2))
        assert torch.equal(one.weight, two.weight) and torch.equal(one.bias, two.bias)


def test_start_at_the_optimum_takes_no_steps(rows):
    X, y = rows
    first = sl.fit(X, y, loss="logistic", C=1.0, tol=1e-12)
    again = sl.fit(X, y, loss="logistic", C=1.0, start=(first.weight, first.bias))
    assert again.n_iter <= 1
    assert torch.allclose(first.weight, again.weight)


def test_perfect_fit_is_optimal():
    X = np.arange(10.0)[:, None]
    for loss in ("squared", "huber", "quantile"):
        result = sl.fit(X, 3 * X[:, 0] + 1, loss=loss)
        assert result.certificate.verdict is sl.Verdict.OPTIMAL
        assert torch.allclose(result.weight, torch.tensor([[3.0]], dtype=torch.float64))


def test_offset_is_not_a_coefficient():
    rng = np.random.default_rng(0)
    X, exposure = rng.standard_normal((200, 2)), rng.uniform(1, 9, 200)
    y = rng.poisson(exposure * np.exp(X @ [0.3, -0.2]))
    with_offset = sl.fit(X, y, loss="poisson", offset=np.log(exposure), tol=1e-10)
    rates = sl.fit(X, y / exposure, loss="poisson", sample_weight=exposure, tol=1e-10)  # the same likelihood
    assert torch.allclose(with_offset.weight, rates.weight, atol=1e-7)


def test_module_is_the_model(rows):
    X, y = rows
    tensor = torch.from_numpy(X)
    result = sl.fit(tensor, y, loss="logistic", C=1.0)
    linear = result.to_module()
    assert type(linear) is torch.nn.Linear
    assert torch.allclose(linear(tensor)[:, 0], result.scores(tensor))
    probability = result.to_module("probability")(tensor)
    assert ((probability > 0) & (probability < 1)).all()
    with pytest.raises(ValueError, match="does not give probabilities"):
        sl.fit(tensor, y, loss="hinge", C=1.0).to_module("probability")


@pytest.mark.parametrize("loss", ["squared", "huber", "quantile"])
@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
def test_constant_target_is_fitted_by_the_intercept(loss, penalty):
    X = np.arange(8.0).reshape(4, 2) ** 2
    result = sl.fit(X, np.full(4, 0.1), loss=loss, penalty=penalty, strength=None if penalty is None else 0.5)
    assert result.certificate.optimal
    assert torch.allclose(result.bias, torch.tensor([0.1], dtype=torch.float64))
    assert float(result.weight.abs().max()) < 1e-12
