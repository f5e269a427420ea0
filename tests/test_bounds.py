"""Every bound is at least the true gap, at weights from anywhere, and tight near the optimum."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.bounds import duality_gap, self_concordant, smooth_gap
from sightline.solvers.factor import cholesky

LOSSES = ["squared", "logistic", "squared_hinge", "huber", "poisson", "softmax"]


def problem(loss: str, l2: float, intercept: bool, seed: int, weighted: bool = False) -> sl.Objective:
    rng = np.random.default_rng(seed)
    n, p = 40, 3
    X = rng.standard_normal((n, p)) * rng.uniform(0.3, 3, p)
    z = X @ rng.standard_normal(p)
    if loss == "softmax":
        y = rng.integers(0, 3, n)
    elif loss in ("logistic", "squared_hinge", "hinge"):
        y = z + 2 * rng.standard_normal(n) > 0
    elif loss == "poisson":
        y = rng.poisson(np.exp(0.3 * np.clip(z, -3, 3)))
    else:
        y = z + rng.standard_normal(n)
    from sightline.losses import as_loss

    data = sl.make_data(X, y, as_loss(loss), sample_weight=rng.uniform(0.1, 3, n) if weighted else None)
    return sl.Objective(data, as_loss(loss), sl.L2(l2) if l2 else sl.Penalty(), intercept)


def optimum(objective: sl.Objective) -> tuple[sl.Weights, float]:
    solution = sl.solve(objective, tol=1e-11)
    assume(solution.certificate.verdict is not sl.Verdict.NO_MINIMUM)  # some few random rows are separable
    assert solution.certificate.optimal
    return solution.weights, solution.certificate.value


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("intercept", [True, False])
@given(seed=st.integers(0, 10_000), away=st.sampled_from([1e-6, 1e-3, 0.1, 1.0]), l2=st.sampled_from([0.0, 1e-3, 0.3]))
@settings(max_examples=8, deadline=None)
def test_smooth_bounds_hold(loss, intercept, seed, away, l2):
    objective = problem(loss, l2, intercept, seed, weighted=seed % 2 == 0)
    best, lowest = optimum(objective)
    rng = torch.Generator().manual_seed(seed)
    shift = away * torch.randn(best.coef.shape, generator=rng, dtype=torch.float64)
    if loss == "softmax":
        shift = shift - shift.mean(1, keepdim=True)  # the gauge in which Newton's bound is stated
    weights = sl.Weights(best.coef + shift, best.intercept)
    now = objective.evaluate(weights)
    bound = smooth_gap(objective, weights, now, cholesky(objective.hessian(now)))
    assert bound.gap >= now.value - lowest - 1e-12 * abs(lowest)
    if away == 1e-6 and np.isfinite(bound.gap) and bound.method == "self-concordance":
        assert bound.gap <= 3 * (now.value - lowest) + 1e-13


@pytest.mark.parametrize("loss", [*LOSSES, "hinge"])
@given(seed=st.integers(0, 10_000), away=st.sampled_from([1e-4, 0.1, 1.0]), l1=st.sampled_from([0.0, 0.05]))
@settings(max_examples=8, deadline=None)
def test_duality_gap_holds_for_any_dual_point(loss, seed, away, l1):
    from dataclasses import replace

    objective = replace(problem(loss, 0.1, True, seed), penalty=sl.Penalty(l1=l1, l2=0.1))
    solution = sl.solve(objective, tol=1e-8)
    rng = torch.Generator().manual_seed(seed)
    best = solution.weights
    weights = sl.Weights(
        best.coef + away * torch.randn(best.coef.shape, generator=rng, dtype=torch.float64), best.intercept
    )
    now = objective.evaluate(weights)
    bound = duality_gap(objective, weights, now.value, now.dual)
    assert bound.gap >= now.value - solution.certificate.value - 1e-12


@given(st.floats(1e-12, 10), st.floats(1e-3, 100))
def test_self_concordant_is_at_least_the_quadratic(decrement, radius):
    assert self_concordant(decrement, radius) >= 0.5 * decrement**2 * (1 - 1e-9)
